import Glibc

/// Small files, read whole.
enum FileBytes {
    /// Why a file was not read.
    struct Failure: Error {
        var reason: String
        /// Whether the system is short of something, so that the file may be read later.
        var isTransient = false

        init(reason: String) { self.reason = reason }

        /// The error in errno.
        static var ofSystem: Failure {
            let error = errno
            var failure = Failure(reason: String(cString: strerror(error)))
            failure.isTransient = SystemShortage.isCause(of: error)
            return failure
        }
    }

    /// Reads a file.
    /// - Parameter limit: The largest size that is taken, in bytes.
    static func read(_ path: String, limit: Int) throws(Failure) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw Failure.ofSystem }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        var count = 0
        while count <= limit {
            let got = bytes.withUnsafeMutableBytes {
                Glibc.read(file, $0.baseAddress.map { $0 + count }, limit + 1 - count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw Failure.ofSystem }
            if got == 0 { break }
            count += got
        }
        guard count <= limit else { throw Failure(reason: "it is over \(limit) bytes long") }
        return Array(bytes[..<count])
    }

    /// Whether there is a regular file.
    static func isFile(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFREG
    }

    /// The path without links and dots; as it is where there is nothing.
    static func resolved(_ path: String) -> String {
        guard let text = realpath(path, nil) else { return path }
        defer { free(text) }
        return String(cString: text)
    }

    /// The names in a folder, sorted.
    static func list(_ folder: String) throws(Failure) -> [String] {
        guard let handle = opendir(folder) else { throw Failure.ofSystem }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}
