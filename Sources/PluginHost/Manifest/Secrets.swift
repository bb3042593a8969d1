import Glibc
import JSONBytes

/// A plugin's configuration with `{ env = "NAME" }` and `{ file = "path" }` replaced by what they stand for.
struct Secrets: Sendable {
    /// The largest file a secret is read from, in bytes.
    static let maxFile = 64 << 10

    /// The configuration, to be handed to the plugin and to nobody else.
    var config: JSON
    /// The secrets in it, to be masked wherever text is shown.
    var values: [String]

    /// A reference that cannot be resolved: where it stands and why.
    struct Unresolved: Error, Equatable {
        var path: String
        var reason: String
        /// Whether it may be resolved later.
        var isTransient = false
    }

    /// Resolves the references of a configuration.
    /// - Parameters:
    ///   - environment: The host's variables.
    ///   - folder: What relative paths are relative to: the manifest's folder.
    ///   - hidden: Folders, without links, out of which no file is taken: what they hold is the host's.
    static func resolve(
        _ config: JSON, environment: [String: String], folder: String, hidden: [String]
    ) throws(Unresolved) -> Secrets {
        var secrets = Secrets(config: .null, values: [])
        secrets.config = try secrets.resolve(config, "", Source(environment, folder, hidden))
        return secrets
    }

    /// Whether a value stands for a secret: `{ env = "NAME" }` or `{ file = "PATH" }`, and nothing beside it.
    static func isSecret(_ value: JSON) -> Bool {
        guard case .object(let members) = value, members.count == 1, let only = members.first else { return false }
        return only.value.string != nil && (only.key == "env" || only.key == "file")
    }

    /// Every reference that cannot be resolved.
    static func problems(
        _ config: JSON, environment: [String: String], folder: String, hidden: [String]
    ) -> [Unresolved] {
        var problems: [Unresolved] = []
        var rest = PrunedJSON(config)
        while problems.count < maxProblems {
            do throws(Unresolved) {
                _ = try resolve(rest.json, environment: environment, folder: folder, hidden: hidden)
                break
            } catch {
                let path = rest.original(error.path)
                problems.append(Unresolved(path: path, reason: error.reason))
                if !rest.remove(path) { break }
            }
        }
        return problems
    }

    /// The most problems that are told of one configuration.
    static let maxProblems = 100

    /// Where secrets come from.
    private struct Source {
        let environment: [String: String]
        let folder: String
        let hidden: [String]

        init(_ environment: [String: String], _ folder: String, _ hidden: [String]) {
            self.environment = environment
            self.folder = folder
            self.hidden = hidden
        }
    }

    private mutating func resolve(_ value: JSON, _ path: String, _ source: Source) throws(Unresolved) -> JSON {
        switch value {
        case .array(let elements):
            var resolved: [JSON] = []
            for (index, element) in elements.enumerated() {
                resolved.append(try resolve(element, "\(path)[\(index)]", source))
            }
            return .array(resolved)
        case .object(let members):
            if members.count == 1, let name = members[0].value.string {
                if members[0].key == "env" {
                    guard let value = source.environment[name] else {
                        throw Unresolved(path: path, reason: "the environment variable \(name) is not set")
                    }
                    // A variable that was filled from a file has the file's line break.
                    let secret = String(decoding: Self.withoutLastBreak(Array(value.utf8)), as: UTF8.self)
                    values.append(secret)
                    return .string(secret)
                }
                if members[0].key == "file" {
                    let file = name.hasPrefix("/") ? name : source.folder + "/" + name
                    let secret = try Self.read(file, path, source.hidden)
                    values.append(secret)
                    return .string(secret)
                }
            }
            var resolved: [JSON.Member] = []
            for member in members {
                let inner = path.isEmpty ? member.key : "\(path).\(member.key)"
                resolved.append(.init(member.key, try resolve(member.value, inner, source)))
            }
            return .object(resolved)
        default: return value
        }
    }

    /// A secret from a file, without the line break that editors leave at its end.
    private static func read(_ file: String, _ path: String, _ hidden: [String]) throws(Unresolved) -> String {
        let bytes: [UInt8]
        do {
            bytes = try FileBytes.read(file, limit: maxFile, outside: hidden)
        } catch {
            throw Unresolved(
                path: path, reason: "\(file) cannot be read: \(error.reason)", isTransient: error.isTransient)
        }
        guard let text = String(validating: withoutLastBreak(bytes), as: UTF8.self) else {
            throw Unresolved(path: path, reason: "\(file) is not UTF-8")
        }
        return text
    }

    /// By bytes: in a text CR and LF together are one character.
    private static func withoutLastBreak(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.last == 0x0A else { return bytes }
        return bytes.dropLast(bytes.dropLast().last == 0x0D ? 2 : 1)
    }
}
