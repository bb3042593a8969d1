import Glibc

/// What goes wrong in the tests' own sockets and files.
struct TestIOError: Error, CustomStringConvertible {
    var description: String
}

/// A folder for a test, removed with the files in it when the object goes.
final class TestFolder: Sendable {
    let path: String

    init() throws {
        var name = Array("/tmp/crowbar-irc-XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil else { throw TestIOError(description: "mkdtemp: \(errno)") }
        path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        if let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                unlink(path + "/" + name)
            }
            closedir(folder)
        }
        rmdir(path)
    }

    static func write(_ text: String, _ path: String) throws {
        let fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard fd >= 0 else { throw TestIOError(description: "open \(path): \(errno)") }
        defer { close(fd) }
        let bytes = Array(text.utf8)
        guard Glibc.write(fd, bytes, bytes.count) == bytes.count else {
            throw TestIOError(description: "write \(path): \(errno)")
        }
    }
}
