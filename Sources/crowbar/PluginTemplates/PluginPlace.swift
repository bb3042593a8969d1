import CrowbarSQLite
import Glibc
import PluginWire

/// Which names a new plugin can have.
enum PluginName {
    /// Whether the rules of manifests allow the name.
    static func isFree(_ name: String) -> Bool { Wire.isName(name) && name != "cli" && name != "incoming" }
}

/// Where the files of a new plugin go.
struct PluginPlace {
    let name: String
    /// The folder of the manifests, a path from the root.
    let manifests: String

    /// The folder of the program, beside the manifests' folder.
    var folder: String { manifests[..<(manifests.lastIndex(of: "/") ?? manifests.endIndex)] + "/" + name }
    var manifest: String { manifests + "/" + name + ".toml" }

    /// Writes the files: the manifest last, so that a running server starts a plugin that is complete.
    /// - Throws: ``Refusal``; what was written before is removed.
    func write(_ template: PluginTemplate) throws {
        if access(manifest, F_OK) == 0 { throw taken(manifest) }
        if mkdir(manifests, 0o755) != 0, errno != EEXIST { throw failed(manifests) }
        if mkdir(folder, 0o755) != 0 { throw errno == EEXIST ? taken(folder) : failed(folder) }
        var written: [String] = []
        do {
            for file in template.files {
                let path = folder + "/" + file.path
                written.append(path)
                try write(file.text, to: path, mode: file.isProgram ? 0o755 : 0o644)
            }
            let draft = manifests + "/." + name + ".new"
            written.append(draft)
            try write(template.manifest(program: "../\(name)/\(template.program)"), to: draft, mode: 0o644)
            // Unlike a rename it fails if somebody wrote a manifest of the name meanwhile.
            if link(draft, manifest) != 0 { throw errno == EEXIST ? taken(manifest) : failed(manifest) }
            unlink(draft)
        } catch {
            for path in written { unlink(path) }
            rmdir(folder)
            throw error
        }
    }

    private func write(_ text: String, to path: String, mode: mode_t) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        if file < 0 { throw failed(path) }
        defer { close(file) }
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0 { throw failed(path) }
            done += count
        }
    }

    private func taken(_ path: String) -> Refusal {
        Refusal("\(FolderPath.shown(path)) is there already; choose another name, or remove it")
    }

    private func failed(_ path: String) -> Refusal {
        Refusal("\(FolderPath.shown(path)) cannot be written: \(String(cString: strerror(errno)))")
    }
}

/// The interpreters of the templates' languages.
enum Interpreter {
    /// What a program's first line names: the system's own program, which a sandboxed plugin may read, or else the one
    /// that is found when the program starts.
    static func path(of command: String) -> String {
        let system = "/usr/bin/" + command
        return access(system, X_OK) == 0 ? system : "/usr/bin/env " + command
    }
}
