import CrowbarSQLite
import CrowbarViews
import Glibc
import HTTPClient
import PluginHost

/// What is wrong with the targets of `[[views.publish]]` on this machine.
enum PublishPlace {
    /// - Throws: ``Refusal`` where a folder is the data folder or lies in it, which nobody else may read.
    static func check(_ configuration: Configuration) throws {
        for target in configuration.publish {
            guard case .folder(let path) = target.destination else { continue }
            if let problem = problem(path, configuration) { throw Refusal(problem) }
        }
    }

    /// Why a folder cannot be published to, whatever the machine is like.
    private static func problem(_ path: String, _ configuration: Configuration) -> String? {
        let data = FolderPath.resolved(configuration.data)
        let folder = FolderPath.resolved(path)
        guard folder == data || folder.hasPrefix(data + "/") else { return nil }
        return "views cannot be published to '\(path)', which lies in the data folder '\(data)': only the server "
            + "may read that; set 'to' to another folder"
    }

    /// What `crowbar check` says.
    /// - Parameter place: Words a problem of a setting with its place.
    static func findings(
        _ configuration: Configuration, place: (_ key: [String], _ reason: String) -> String
    ) -> [PluginCheck.Finding] {
        var findings: [PluginCheck.Finding] = []
        func add(_ index: Int, _ key: String, _ reason: String, isError: Bool = true) {
            let text = place(["views", "publish", "[\(index)]", key], reason)
            findings.append(PluginCheck.Finding(isError: isError, text: text))
        }
        for (index, target) in configuration.publish.enumerated() {
            switch target.destination {
            case .folder(let path):
                if let problem = problem(path, configuration) {
                    add(index, "to", problem)
                } else if access(path, F_OK) == 0 {
                    if access(path, R_OK | W_OK | X_OK) != 0 {
                        add(index, "to", "the folder '\(path)' cannot be written by user \(geteuid()): \(words())")
                    } else if isForeign(path) {
                        add(
                            index, "to",
                            "the folder '\(path)' has files but no '\(PublishTarget.folderMark)', so Crowbar has not "
                                + "published to it yet; the server replaces files of the same names, and deletes those "
                                + "of unknown channels when it starts again: use a folder of its own", isError: false)
                    }
                } else if access(parent(of: path), W_OK | X_OK) != 0 {
                    add(
                        index, "to",
                        "the folder '\(path)' is not there, and user \(geteuid()) cannot make it: \(words()); make it "
                            + "for that user")
                } else {
                    add(index, "to", "the folder '\(path)' is not there yet; the server makes it", isError: false)
                }
            case .bucket(let bucket):
                do throws(CredentialProblem) {
                    _ = try bucket.credentials.source(.process)
                } catch { add(index, error.key ?? "credentials", error.message) }
            }
        }
        return findings
    }

    /// Whether a folder has files, and no mark that Crowbar published them.
    private static func isForeign(_ path: String) -> Bool {
        guard access(path + "/" + PublishTarget.folderMark, F_OK) != 0, let handle = opendir(path) else { return false }
        defer { closedir(handle) }
        while let entry = readdir(handle) {
            // "." and ".." are in every folder.
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { return true }
        }
        return false
    }

    private static func parent(of path: String) -> String {
        var path = path[...]
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func words() -> String { String(cString: strerror(errno)) }
}
