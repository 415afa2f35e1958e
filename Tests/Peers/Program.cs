using Tapegrad.Peers;

// Writes models, inputs and what they give here, for other programs to compute the same:
//   peers onnx FOLDER      then: node Tests/Peers/onnx.mjs FOLDER
if (args is ["onnx", var folder]) OnnxCases.Write(folder);
else
{
    Console.Error.WriteLine("usage: peers onnx FOLDER");
    return 1;
}
return 0;
