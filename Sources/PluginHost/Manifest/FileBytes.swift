import Glibc

/// Small files, read whole.
enum FileBytes {
    /// Why a file was not read.
    struct Failure: Error {
        var reason: String
        /// Whether the system is short of something, so that the file may be read later.
        var isTransient = false
        /// Whether there is no such thing. Everything else leaves open whether there is.
        var isAbsence = false

        init(reason: String) { self.reason = reason }

        /// The error in errno.
        static var ofSystem: Failure {
            let error = errno
            var failure = Failure(reason: String(cString: strerror(error)))
            failure.isTransient = SystemShortage.isCause(of: error)
            failure.isAbsence = error == ENOENT
            return failure
        }
    }

    /// Reads a regular file: a pipe could block the reader, and a device is no file.
    /// - Parameters:
    ///   - limit: The largest size that is taken, in bytes.
    ///   - hidden: Folders, without links, out of which nothing is read, whatever links lead there.
    static func read(_ path: String, limit: Int, outside hidden: [String] = []) throws(Failure) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard file >= 0 else {
            // As nobody reads from a socket, and from a pipe or device somebody might.
            throw errno == ENXIO ? Failure(reason: notRegular) : Failure.ofSystem
        }
        defer { close(file) }
        var info = stat()
        guard fstat(file, &info) == 0 else { throw Failure.ofSystem }
        if info.st_mode & S_IFMT == S_IFDIR { throw Failure(reason: "it is a folder") }
        guard info.st_mode & S_IFMT == S_IFREG else { throw Failure(reason: notRegular) }
        if !hidden.isEmpty {
            // Of the file that is open, not of what the path leads to by now.
            let real = try place(of: file)
            if let folder = hidden.first(where: { PluginIsolation.is(real, within: $0) }) {
                throw Failure(
                    reason: "it lies in the data folder '\(folder)', of which no plugin is told; keep it elsewhere")
            }
        }
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

    private static let notRegular = "it is no regular file"

    /// Where an open file lies.
    private static func place(of file: Int32) throws(Failure) -> String {
        guard let place = link("/proc/self/fd/\(file)") else { throw Failure.ofSystem }
        guard place.utf8.count <= Int(PATH_MAX) else { throw Failure(reason: "its place is too long to be told") }
        return place
    }

    /// What a symbolic link says, cut behind PATH_MAX + 1 bytes; nil where there is none.
    static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = readlink(path, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
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
        while true {
            errno = 0
            guard let entry = readdir(handle) else {
                // What could not be read on is not the end.
                if errno != 0 { throw Failure.ofSystem }
                break
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}
