import ArgumentParser
import CrowbarSQLite
import Glibc
import JSONBytes
import Settings

/// `--config`, which every verb takes.
struct ConfigurationOption: ParsableArguments {
    @Option(name: .customLong("config"), help: "The configuration file (default: crowbar.toml, if it is there).")
    var file: String?

    /// Reads the configuration.
    /// - Throws: ``Refusal`` in one line.
    func load() throws -> Configuration { try Self.load(file) }

    /// Reads the configuration from a file, or the default one where none is named.
    /// - Throws: ``Refusal`` in one line.
    static func load(_ file: String?) throws -> Configuration {
        do {
            return try reader.configuration(named: file)
        } catch let error as SettingsError {
            throw Refusal(error.quoting)
        }
    }

    /// Reads the configuration and collects all that is wrong with it.
    func review() throws -> (problems: [SettingsError], configuration: Configuration?) {
        try Self.reader.review(named: file)
    }

    /// The check of what the configuration names on this machine.
    func placeCheck(_ configuration: Configuration) -> PlaceCheck {
        let (reader, file) = (Self.reader, file)
        return PlaceCheck(configuration: configuration) { "\(reader.problem($0, $1, $2, named: file))" }
    }

    /// Variables that are probably meant for the server and are not read, each in a line.
    static var misspeltVariables: [String] { reader.misspeltVariables }

    /// That there is no configuration file, in a line, where none was named.
    static func missingFile(named: String?) -> String? {
        let file = ConfigurationReader.defaultFile
        guard named == nil, access(file, F_OK) != 0 else { return nil }
        let folder = FolderPath.resolved(".")
        return "there is no '\(file)' in '\(folder)', so the defaults and the environment are used; name another file "
            + "with --config"
    }

    /// A file in the folder that is probably meant as the configuration file and is not read, in a line.
    /// - Parameter named: The file that was asked for by name.
    static func misspeltFile(named: String?) -> String? {
        let file = ConfigurationReader.defaultFile
        guard named == nil, access(file, F_OK) != 0, let folder = opendir(".") else { return nil }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder), names.count < 10_000 {
            withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { names.append(String(cString: $0)) }
            }
        }
        guard let near = NearestName.to(file, among: names.sorted()) else { return nil }
        return "there is no \(file) here, so the defaults are used; '\(near)' is not read: rename it if it is meant"
    }

    private static var reader: ConfigurationReader {
        ConfigurationReader(environment: ProcessEnvironment.all, read: SmallFile.read)
    }
}

/// The process's environment.
enum ProcessEnvironment {
    /// All variables by name.
    static var all: [String: String] {
        var all: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let halves = String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if halves.count == 2 { all[String(halves[0])] = String(halves[1]) }
            next += 1
        }
        return all
    }
}

/// Files that are read in one go.
enum SmallFile {
    /// The longest file that is read, in bytes.
    static let maxBytes = 4 << 20

    /// A file's bytes, or nil where there is none.
    /// - Throws: ``Refusal`` where it is there and cannot be read.
    static func read(_ path: String) throws -> [UInt8]? { try read(path, upTo: maxBytes) }

    /// As ``read(_:)``, with another limit.
    static func read(_ path: String, upTo limit: Int) throws -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        if file < 0 {
            if errno == ENOENT { return nil }
            throw Refusal("'\(path)' cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count < 0 { throw Refusal("'\(path)' cannot be read: \(String(cString: strerror(errno)))") }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk[..<count])
            if bytes.count > limit { throw Refusal("'\(path)' is over \(limit) bytes long") }
        }
    }
}
