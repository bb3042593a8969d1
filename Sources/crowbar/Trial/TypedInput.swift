import Dispatch
import Glibc
import PluginHost
import PluginWire

/// Reads lines from standard input on a thread of its own.
enum TypedInput {
    /// Hands over each line, then nil.
    /// - Parameter limit: Lines in all.
    static func read(limit: Int, _ take: @escaping @Sendable (String?) -> Void) {
        DispatchQueue(label: "crowbar.try.input").async {
            var splitter = LineSplitter()
            var left = limit
            var bytes = [UInt8](repeating: 0, count: 16 << 10)
            func hand(_ piece: LineSplitter.Piece) {
                guard left > 0, case .line(let line) = piece else { return }
                left -= 1
                take(String(decoding: line, as: UTF8.self))
            }
            while left > 0 {
                let count = Glibc.read(STDIN_FILENO, &bytes, bytes.count)
                if count < 0, errno == EINTR { continue }
                if count <= 0 { break }
                bytes[..<count].withUnsafeBytes { splitter.feed($0, hand) }
            }
            splitter.finish(hand)
            take(nil)
        }
    }
}

/// The files of a plugin, to see when one is saved.
struct SavedFiles: Sendable {
    /// A file as it was.
    private struct Stamp: Equatable {
        var inode: UInt64
        var seconds: Int
        var nanoseconds: Int
        var size: Int
    }

    private var known: [String: Stamp] = [:]
    private let paths: [String]

    /// The manifest, the program, and the files that its arguments name.
    init(_ manifest: Manifest, _ environment: HostEnvironment) {
        let program = PluginTrial.program(of: manifest, environment)
        let arguments = manifest.command.dropFirst().filter { $0.hasPrefix("/") }
        paths = [manifest.file] + [program].compactMap(\.self) + arguments
        for path in paths { known[path] = Self.stamp(path) }
    }

    /// A file that was saved since the last call; nil: none.
    mutating func changed() -> String? {
        var changed: String?
        for path in paths {
            // One that is not there is about to be replaced.
            guard let stamp = Self.stamp(path), stamp != known[path] else { continue }
            known[path] = stamp
            changed = changed ?? path
        }
        return changed
    }

    private static func stamp(_ path: String) -> Stamp? {
        var info = stat()
        guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return nil }
        return Stamp(
            inode: UInt64(info.st_ino), seconds: info.st_mtim.tv_sec, nanoseconds: info.st_mtim.tv_nsec,
            size: Int(info.st_size))
    }
}
