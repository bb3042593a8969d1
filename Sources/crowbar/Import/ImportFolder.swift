import CrowbarSQLite
import Glibc

/// The folder that an import writes its files to. It overwrites nothing, and writes all files or none.
struct ImportFolder {
    /// A path from the root.
    let path: String

    /// Makes sure that no file is there yet.
    /// - Throws: ``Refusal`` that names those that are.
    func requireFree(_ files: [ImportedFile]) throws {
        var info = stat()
        let taken = files.map { path + "/" + $0.path }.filter { lstat($0, &info) == 0 }
        guard let first = taken.first else { return }
        let more = taken.count > 1 ? " and \(taken.count - 1) more files of the import" : ""
        throw Refusal(
            "\(FolderPath.shown(first))\(more) are there already, and nothing is overwritten; choose another folder "
                + "with --out, or move them away")
    }

    /// Writes the files; each is whole under its name, or not there.
    /// - Throws: ``Refusal``; what was written before is removed.
    func write(_ files: [ImportedFile]) throws {
        var (written, made): ([String], [String]) = ([], [])
        do {
            for folder in [path] + Self.folders(of: files).map({ path + "/" + $0 }) {
                // Secrets are for the owner's eyes already by their folder.
                if mkdir(folder, folder.hasSuffix("/secrets") ? 0o700 : 0o755) == 0 {
                    made.append(folder)
                } else if errno != EEXIST {
                    throw failed(folder)
                }
            }
            for file in files {
                let name = path + "/" + file.path
                let draft = Self.draft(name)
                written.append(draft)
                try write(file, to: draft)
                // Unlike a rename it fails if somebody wrote a file of the name meanwhile.
                if link(draft, name) != 0 { throw failed(name) }
                unlink(draft)
                written[written.count - 1] = name
            }
        } catch {
            for path in written { unlink(path) }
            for path in made.reversed() { rmdir(path) }
            throw error
        }
    }

    private static func folders(of files: [ImportedFile]) -> [String] {
        Set(files.compactMap { file in file.path.lastIndex(of: "/").map { String(file.path[..<$0]) } }).sorted()
    }

    /// A name that the plugin host does not read.
    private static func draft(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." + path + ".new" }
        return path[...slash] + "." + path[path.index(after: slash)...] + ".new"
    }

    private func write(_ file: ImportedFile, to path: String) throws {
        let mode: mode_t = file.isSecret ? 0o600 : 0o644
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        if descriptor < 0 { throw failed(path) }
        defer { close(descriptor) }
        let bytes = Array(file.text.utf8)
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count < 0 { throw failed(path) }
            done += count
        }
    }

    private func failed(_ path: String) -> Refusal {
        Refusal("\(FolderPath.shown(path)) cannot be written: \(String(cString: strerror(errno)))")
    }
}
