import CrowbarSQLite
import Glibc
import PluginHost

/// What is kept of a replay in its folder, so that it can go on: the part, and the bookkeeping. What the plugin itself
/// writes into its folder there stays.
struct ReplayFiles {
    /// Bytes of a plan, at most.
    private static let maxPlan = 64 << 10
    /// The bookkeeping.
    static let store = "host.db"
    /// An empty one, for asking the plugin beforehand.
    static let survey = "survey.db"

    let folder: String

    private var file: String { folder + "/plan.json" }

    /// The plan of a replay that was interrupted, or nil.
    var plan: ReplayPlan? {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: Self.maxPlan)
        let count = read(descriptor, &bytes, bytes.count)
        return count > 0 ? ReplayPlan(kept: Array(bytes[..<count])) : nil
    }

    /// Begins with an empty bookkeeping.
    func begin(_ plan: ReplayPlan) throws {
        end()
        do { try PrivateFile.write(file, plan.bytes) } catch { throw Refusal("\(error)") }
    }

    /// Drops the plan and the bookkeeping.
    func end() { drop(["plan.json"] + Self.files(of: Self.store)) }

    /// Drops what asking the plugin left.
    func endSurvey() { drop(Self.files(of: Self.survey)) }

    private func drop(_ names: [String]) {
        for name in names { unlink(folder + "/" + name) }
    }

    private static func files(of store: String) -> [String] { [store, store + "-wal", store + "-shm"] }
}
