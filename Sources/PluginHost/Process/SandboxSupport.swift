import Subprocess
import SystemPackage

/// What of `[limits]` and `[sandbox]` this machine can enforce, as its kernel tells the launcher.
struct SandboxSupport: Sendable, Equatable {
    /// The version of Landlock; 0 for none. 3 (Linux 6.2) is the first that closes all of what a manifest names.
    var landlock: Int
    /// Whether system calls can be refused, sockets among them.
    var sockets: Bool
    /// Whether plugins can be given mounts of their own.
    var mounts = false
    /// Whether the launcher could be asked at all.
    var isKnown = true

    /// Bytes of the launcher's answer.
    private static let answerLimit = 1024
    private static let completeLandlock = 3

    init(landlock: Int, sockets: Bool) {
        self.landlock = landlock
        self.sockets = sockets
    }

    /// Reads the answer of `crowbar-launch --probe`. What it does not tell counts as not there.
    init(answer: String) {
        self.init(landlock: 0, sockets: false)
        for line in answer.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 2, let value = Int(words[1]) else { continue }
            if words[0] == "landlock" { landlock = value }
            if words[0] == "sockets" { sockets = value == 1 }
            if words[0] == "mounts" { mounts = value > 0 }
        }
    }

    /// Asks the launcher. One that does not answer can enforce nothing.
    static func probe(launcher: String) async -> SandboxSupport {
        let outcome = try? await Subprocess.run(
            .path(FilePath(launcher)), arguments: ["--probe"], environment: .custom([:]), input: .none,
            output: .string(limit: answerLimit), error: .discarded)
        var support = SandboxSupport(answer: outcome?.standardOutput ?? "")
        support.isKnown = outcome != nil
        return support
    }

    /// How the data folder is kept from plugins, where that is not by mounts; nil where it is.
    var dataNote: String? {
        if mounts { return nil }
        if landlock > 0 {
            return "this machine lets crowbar make no mount namespace, so the data folder is kept from plugins, and "
                + "manifests and crowbar.toml are kept from being changed by them, by Landlock; files made later "
                + "beside the folders that lead there are out of their reach, and as crowbar's own user they cannot "
                + "change modes, owners, times or attributes of files"
        }
        return "this machine offers neither mount namespaces nor Landlock, so the data folder cannot be kept from "
            + "plugins, nor the manifests and crowbar.toml from those that run as their owner; none runs unless "
            + "expose_data = true"
    }

    /// What a manifest asks for and cannot have here, one line a key; empty where all of it is enforced.
    func unsupported(_ manifest: Manifest) -> [String] {
        var lines: [String] = []
        func add(_ key: String, _ why: String) { lines.append("\(key) cannot be enforced on this machine: \(why)") }
        if manifest.limits?.cpu != nil {
            add(
                "limits.cpu",
                "it needs a control group, and this version makes none; set CPUQuota= of crowbar's service instead"
            )
        }
        if manifest.sandbox != nil {
            if landlock == 0 {
                add("sandbox.read and sandbox.write", "its kernel has no Landlock, or has it switched off")
            } else if landlock < Self.completeLandlock {
                add(
                    "sandbox.write",
                    "its kernel's Landlock (version \(landlock)) lets files outside be cut short; Linux 6.2 does not")
            }
        }
        // Without a table the network is closed where it can be; the operator who asked for nothing is told too.
        if manifest.sandbox?.network != true, !sockets {
            add("sandbox.network = false", "sockets cannot be refused on its processor or by its kernel (seccomp)")
        }
        if manifest.sandbox != nil, !sockets {
            add(
                "sandbox",
                "system calls cannot be refused on its processor or by its kernel (seccomp), so that the plugin can "
                    + "change limits and priorities of other processes of its user")
        }
        return lines
    }
}
