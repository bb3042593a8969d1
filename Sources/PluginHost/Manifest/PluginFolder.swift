import Glibc
import Settings

/// The folder plugins.d: each `NAME.toml` in it is a plugin.
public enum PluginFolder {
    /// Manifests at most.
    public static let maxPlugins = 1_000

    /// What was found.
    public struct Contents: Sendable {
        /// The manifests that are in order, by name.
        public var manifests: [Manifest] = []
        /// What is wrong with the others, each with the plugin's name.
        public var errors: [(name: String, error: SettingsError)] = []
        /// Files that are not read and look like manifests, as many as are told of.
        public var unread: [UnreadFile] = []
    }

    /// Everything that is wrong with a manifest, where the first thing is known already.
    static func problems(_ name: String, _ first: SettingsError) -> [SettingsError] {
        guard let bytes = try? FileBytes.read(first.file, limit: SettingsReader.maxBytes) else { return [first] }
        let problems = ManifestReader.problems(bytes, name: name, file: first.file)
        return problems.isEmpty ? [first] : problems
    }

    /// Reads one manifest.
    /// - Parameter path: The file `NAME.toml`.
    /// - Throws: ``SettingsError`` with file, line where known, key and reason.
    public static func manifest(at path: String) throws(SettingsError) -> Manifest {
        let bytes: [UInt8]
        do {
            bytes = try FileBytes.read(path, limit: SettingsReader.maxBytes)
        } catch {
            throw SettingsError(file: path, reason: error.reason)
        }
        let file = path.split(separator: "/").last.map(String.init) ?? path
        return try ManifestReader.read(
            bytes, name: file.hasSuffix(".toml") ? String(file.dropLast(5)) : file, file: path)
    }

    /// Reads the folder. One that is not there is empty.
    /// - Throws: ``SettingsError`` where the folder is there and cannot be read.
    public static func read(_ folder: String) throws(SettingsError) -> Contents {
        if access(folder, F_OK) != 0, errno == ENOENT { return Contents() }
        let names: [String]
        do {
            names = try FileBytes.list(folder)
        } catch {
            throw SettingsError(file: folder, reason: "the folder of plugins cannot be read: \(error.reason)")
        }
        var contents = Contents()
        for file in names {
            guard file.hasSuffix(".toml"), !file.hasPrefix(".") else {
                if contents.unread.count < UnreadFile.maxTold, let unread = UnreadFile.look(at: file, in: folder) {
                    contents.unread.append(unread)
                }
                continue
            }
            let name = String(file.dropLast(5))
            let path = folder + "/" + file
            if contents.manifests.count + contents.errors.count >= maxPlugins {
                contents.errors.append(
                    (name, SettingsError(file: path, reason: "over \(maxPlugins) plugins; this one is left out")))
                continue
            }
            do throws(SettingsError) {
                contents.manifests.append(try manifest(at: path))
            } catch {
                contents.errors.append((name, error))
            }
        }
        return contents
    }
}
