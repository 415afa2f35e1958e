// Classifies images with an exported model, without Tapegrad:
//   node classify.mjs model.onnx photo.ppm test_batch.bin:17 ...
// An image is a PPM file (P6, one byte a channel) of the size that the model was trained on, or a record of one of CIFAR-10's binary files,
// by its number: a label, then 1024 bytes each of red, green and blue. Prints the three likeliest classes of each.
import { readFileSync } from 'node:fs';
import ort from 'onnxruntime-node';

const [file, ...images] = process.argv.slice(2);
if (!file || images.length === 0) fail('usage: node classify.mjs model.onnx image.ppm|batch.bin:NUMBER ...');
try {
    const metadata = readMetadata(readFileSync(file));
    const session = await ort.InferenceSession.create(file);
    const [input] = session.inputNames, [output] = session.outputNames;
    for (const name of images) {
        const image = name.match(/\.bin:\d+$/) ? readCifar(name) : readPpm(name);
        const wanted = metadata.input_size ?? `${image.height}x${image.width}`;
        if (wanted !== `${image.height}x${image.width}`)
            fail(`${name}: the model takes images of ${wanted}: magick ${name} -resize '${wanted}!' small.ppm`);
        if (input === 'input' && !(metadata.input_mean && metadata.input_std))
            fail(`${file}: it does not say how images are to be normalized: export a network that was trained here, with --pixels.`);
        // 'pixels' from 0 to 1 are normalized by the model itself ('export --pixels'), an 'input' is what the network was trained on.
        const channels = (key, otherwise) => input === 'input' ? metadata[key].split(',').map(Number) : otherwise;
        const x = toTensor(image, channels('input_mean', [0, 0, 0]), channels('input_std', [1, 1, 1]));
        const scores = Array.from((await session.run({ [input]: x }))[output].data);
        const names = (metadata.class_names?.startsWith('[') ? JSON.parse(metadata.class_names) : metadata.class_names?.split(',')) ?? scores.map((_, k) => `class ${k}`);
        const best = softmax(scores).map((share, k) => [share, names[k]]).sort((a, b) => b[0] - a[0]).slice(0, 3);
        console.log(`${name}: ${best.map(([share, className]) => `${(100 * share).toFixed(1)} % ${className}`).join(', ')}`);
    }
} catch (error) {
    fail(error.message);
}

function fail(message) {
    console.error(`error: ${message}`);
    process.exit(1);
}

// [1, 3, H, W]: all of red, all of green, all of blue.
function toTensor({ width, height, planes }, mean, std) {
    const values = planes.flatMap((plane, c) => Array.from(plane, value => (value / 255 - mean[c]) / std[c]));
    return new ort.Tensor('float32', Float32Array.from(values), [1, 3, height, width]);
}

function softmax(scores) {
    const largest = Math.max(...scores), powers = scores.map(score => Math.exp(score - largest)), sum = powers.reduce((a, b) => a + b);
    return powers.map(power => power / sum);
}

// "P6 width height 255", any white space or comments between them, one white space, then red, green, blue of each pixel.
function readPpm(name) {
    const bytes = readFileSync(name);
    const header = bytes.toString('latin1', 0, 1000).match(/^P6(?:\s|#.*\n)+(\d+)(?:\s|#.*\n)+(\d+)(?:\s|#.*\n)+255\s/);
    if (!header) fail(`${name}: not a PPM file of one byte a channel (P6): magick ${name} -depth 8 image.ppm`);
    const [width, height] = [Number(header[1]), Number(header[2])], pixels = bytes.subarray(header[0].length);
    if (pixels.length < 3 * width * height) fail(`${name}: it ends before the last of its ${width} x ${height} pixels.`);
    return { width, height, planes: [0, 1, 2].map(c => Array.from({ length: width * height }, (_, i) => pixels[3 * i + c])) };
}

function readCifar(name) {
    const [, path, number] = name.match(/^(.*):(\d+)$/), record = readFileSync(path).subarray(3073 * number, 3073 * number + 3073);
    if (record.length < 3073) fail(`${name}: the file has no record ${number}.`);
    return { width: 32, height: 32, planes: [0, 1, 2].map(c => Array.from(record.subarray(1 + 1024 * c, 1025 + 1024 * c))) };
}

// onnxruntime for Node does not tell a model's metadata: the fields 14 of the file, each with a text 1 (key) and a text 2 (value).
function readMetadata(file) {
    const pairs = [...fields(file)].filter(([number]) => number === 14).map(([, bytes]) => [...fields(bytes)]);
    return Object.fromEntries(pairs.map(([key, value]) => [key[1].toString('utf8'), value[1].toString('utf8')]));
}

// The texts, bytes and messages in a message of protocol buffers, by the numbers of their fields.
function* fields(bytes) {
    let at = 0;
    const number = () => {
        for (let value = 0, place = 1; ; place *= 128) {
            value += (bytes[at] & 127) * place;
            if (bytes[at++] < 128) return value;
        }
    };
    while (at < bytes.length) {
        const key = number();
        if (key % 8 === 2) {
            const length = number();
            yield [Math.floor(key / 8), bytes.subarray(at, at += length)];
        } else if (key % 8 === 0) number();
        else throw new Error('not an ONNX file, or a damaged one');
    }
}
