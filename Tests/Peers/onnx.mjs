// Computes exported models in onnxruntime and compares with what this library computed: node Tests/Peers/onnx.mjs FOLDER
// FOLDER is what 'peers onnx FOLDER' wrote (OnnxCases.cs says what is in it). Each file is run on all samples and on the first alone, so the
// number of samples is seen to be free. Allowed: a difference of 1e-4 of the largest output. onnxruntime-node is that of Examples/Onnx.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const ort = createRequire(new URL('../../Examples/Onnx/package.json', import.meta.url))('onnxruntime-node');
const folder = process.argv[2];
const floats = file => new Float32Array(new Uint8Array(readFileSync(join(folder, file))).buffer);
const cases = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'));
const samples = 5;
const count = { passed: 0, failed: 0 };

for (const { name, file, shape, input, output } of cases) {
    let worst = 0, problem = '';
    try {
        const session = await ort.InferenceSession.create(join(folder, file), { intraOpNumThreads: 1 });
        const [x, expected] = [floats(input), floats(output)];
        const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        if (!(largest > 0)) problem = 'the expected output is all zeros';
        for (const batch of [samples, 1]) {
            const part = x.subarray(0, x.length / samples * batch);
            const outputs = await session.run({ [session.inputNames[0]]: new ort.Tensor('float32', part, [batch, ...shape]) });
            const result = outputs[session.outputNames[0]];
            if (result.dims[0] !== batch || result.data.length !== expected.length / samples * batch)
                problem = `the output of ${batch} samples is [${result.dims}]`;
            for (let i = 0; i < result.data.length; i++) {
                const difference = Math.abs(result.data[i] - expected[i]) / largest;
                if (!(difference <= worst)) worst = difference;   // NaN too
            }
        }
        if (!(worst <= 1e-4)) problem ||= 'too far';
    } catch (error) {
        problem = error.message;
    }
    count[problem ? 'failed' : 'passed']++;
    console.log(`${problem ? 'FAILED' : 'ok    '} ${name.padEnd(40)} ${worst.toExponential(1)} of the largest output ${problem}`);
}
console.log(`onnxruntime: ${count.passed} files agree, ${count.failed} do not`);
if (count.failed > 0 || count.passed === 0) process.exit(1);
