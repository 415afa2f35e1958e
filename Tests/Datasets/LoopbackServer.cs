using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tapegrad.Tests.Datasets;

/// <summary>
/// A web server on this machine that answers every request with the same bytes and then hangs up, whether or not they
/// are what it promised.
/// </summary>
internal sealed class LoopbackServer : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource closing = new();
    private readonly Task serving;

    /// <param name="body">What is sent.</param>
    /// <param name="length">The length that is promised; null promises none.</param>
    /// <param name="status">The first line.</param>
    /// <param name="hangs">Whether the connection is left open after the last byte.</param>
    public LoopbackServer(byte[] body, long? length, string status = "200 OK", bool hangs = false)
    {
        listener.Start();
        Address = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/archive.tar.gz");
        serving = ServeAsync(body,
            $"HTTP/1.1 {status}\r\nConnection: close\r\n{(length is null ? "" : $"Content-Length: {length}\r\n")}\r\n",
            hangs);
    }

    public Uri Address { get; }

    public int Requests { get; private set; }

    private async Task ServeAsync(byte[] body, string head, bool hangs)
    {
        try
        {
            while (true)
            {
                using var client = await listener.AcceptTcpClientAsync(closing.Token);
                Requests++;
                await using var stream = client.GetStream();
                using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
                // the request's head ends with an empty line
                while (await reader.ReadLineAsync(closing.Token) is { Length: > 0 }) { }
                try
                {
                    await stream.WriteAsync(Encoding.ASCII.GetBytes(head), closing.Token);
                    await stream.WriteAsync(body, closing.Token);
                    if (hangs) await Task.Delay(Timeout.Infinite, closing.Token);
                }
                catch (IOException)
                {
                    // The client has heard enough.
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    public void Dispose()
    {
        closing.Cancel();
        serving.GetAwaiter().GetResult();
        listener.Dispose();
        closing.Dispose();
    }
}
