import Glibc
import Testing

@testable import crowbar

/// The tables behind signals and reloads, as values.
@Suite struct ServerReloadTests {
    @Test func everySignalThatEndsAProcessIsInTheTable() {
        // What cannot be handled, what ends nothing by default, and what glibc keeps for itself.
        let left: Set<Int32> = [
            SIGKILL, SIGSTOP, SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGTSTP, SIGTTIN, SIGTTOU, 32, 33,
        ]
        let numbers = SignalPolicy.table.map(\.number)
        #expect(Set(numbers).count == numbers.count)
        #expect(Set(numbers) == Set(1...64).subtracting(left))
        #expect(Set(SignalPolicy.table.map(\.name)).count == numbers.count)
    }

    struct Row: Sendable, CustomTestStringConvertible {
        var name: String
        var change: @Sendable (inout Configuration) -> Void
        var keys: [String]
        var testDescription: String { name }
    }

    private static let rows = [
        Row(name: "nothing", change: { _ in }, keys: []),
        Row(name: "data", change: { $0.data = "e" }, keys: ["data"]),
        Row(name: "plugins", change: { $0.plugins = "e" }, keys: ["plugins"]),
        Row(name: "port", change: { $0.listen.port = 1 }, keys: ["http.listen"]),
        Row(
            name: "several",
            change: {
                $0.anonymousRead = true
                $0.data = "e"
            }, keys: ["data", "auth.anonymous_read"]),
    ]

    @Test(arguments: rows) func changedKeysAreNamedAsTheFileHasThem(_ row: Row) throws {
        let old = try ConfigurationReader(environment: [:], read: { _ in nil }).configuration(named: nil)
        var new = old
        row.change(&new)
        #expect(ServerReload.changedKeys(old, new) == row.keys)
    }
}
