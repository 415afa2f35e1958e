using Tapegrad.Peers;

// Writes models, inputs and what they give here, for other programs to compute the same:
//   peers onnx FOLDER      then: node Tests/Peers/onnx.mjs FOLDER
// and computes what others wrote:
//   peers torch FOLDER     between: python3 Tests/Peers/torch_weights.py give FOLDER, and check FOLDER
if (args is ["onnx", var folder]) OnnxCases.Write(folder);
else if (args is ["torch", var exchange]) return TorchCases.Exchange(exchange) ? 0 : 1;
else
{
    Console.Error.WriteLine("usage: peers onnx|torch FOLDER");
    return 1;
}
return 0;
