using Tapegrad.Peers;

// What other programs must compute too:
//   peers torch FOLDER     between: python3 Tests/Peers/torch_weights.py give FOLDER, and check FOLDER
//   peers picture FOLDER   a picture for Examples/Onnx, as a PPM file and as a record of a file like CIFAR-10's
if (args is ["torch", var exchange]) return TorchCases.Exchange(exchange) ? 0 : 1;
if (args is ["picture", var folder])
{
    Picture.Write(folder);
    return 0;
}
Console.Error.WriteLine("usage: peers torch|picture FOLDER");
return 1;
