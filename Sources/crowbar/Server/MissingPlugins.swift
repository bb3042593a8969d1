import CrowbarSQLite
import Glibc
import JSONBytes

/// A folder of manifests that is not there.
enum MissingPlugins {
    /// Names of a folder that are looked at.
    private static let maxNames = 1_000

    /// That it is not there, and what to do; nil where it is there, or cannot be looked at, which its reader tells.
    static func text(_ configuration: Configuration) -> String? {
        let path = configuration.plugins
        guard access(path, F_OK) != 0, errno == ENOENT else { return nil }
        let begin = "there is no folder '\(path)', so no plugin runs"
        guard configuration.isPluginFolderNamed else { return begin }
        let meant = near(path).map { ", as '\($0)'" } ?? ""
        return "\(begin); correct the path\(meant), or make the folder"
    }

    /// The folder beside it whose name resembles its name.
    private static func near(_ path: String) -> String? {
        var path = path[...]
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        let slash = path.lastIndex(of: "/")
        let parent = slash.map { path[...$0] } ?? ""
        let name = slash.map { path[path.index(after: $0)...] } ?? path
        let names = FolderPath.names(in: parent.isEmpty ? "." : String(parent), limit: maxNames) ?? []
        let folders = names.filter { name in
            var info = stat()
            return stat(parent + name, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
        }
        return NearestName.to(String(name), among: folders.sorted()).map { parent + $0 }
    }
}
