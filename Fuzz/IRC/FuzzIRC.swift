import Glibc

/// What libFuzzer calls with each input. The first byte chooses the configuration; the rest are lines. One whose first
/// byte is below 0x10 is no line of the server, but tells what happens otherwise.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzIRC(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data, size > 1 else { return 0 }
    var play = Play(kind: data[0])
    let bytes = UnsafeBufferPointer(start: data + 1, count: size - 1)
    for line in bytes.split(separator: 0x0A) { play.take(Array(line)) }
    return 0
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ argc: UnsafeMutablePointer<CInt>,
    _ argv: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// What a server may say, line by line, to the parser and to a network's machine, with messages of the chat, time and
/// broken connections between. Built by `script/fuzz` alone.
@main
enum FuzzIRC {
    static func main() {
        var argc = CommandLine.argc
        var argv = CommandLine.unsafeArgv
        exit(runDriver(&argc, &argv, fuzzIRC))
    }
}
