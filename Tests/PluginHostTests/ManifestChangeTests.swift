import Settings
import Testing

@testable import PluginHost

struct FolderChangeTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var before: PluginFolder.Contents
        var after: PluginFolder.Contents
        var changes: [ManifestChange]
        var testDescription: String { changes.map(\.word).joined(separator: ", ") }
    }

    private static func manifest(_ name: String, _ window: Int64 = 1, enabled: Bool = true) -> Manifest {
        var manifest = Manifest(name: name, file: name + ".toml", command: ["x"])
        manifest.window = window
        manifest.isEnabled = enabled
        return manifest
    }

    private static func error(_ line: Int) -> SettingsError { SettingsError(file: "p.toml", line: line, reason: "no") }

    private static func contents(
        _ manifests: [Manifest] = [], _ errors: [(String, SettingsError)] = []
    ) -> PluginFolder.Contents {
        PluginFolder.Contents(manifests: manifests, errors: errors.map { (name: $0.0, error: $0.1) })
    }

    static let cases = [
        Case(before: contents(), after: contents(), changes: []),
        Case(before: contents([manifest("p")]), after: contents([manifest("p")]), changes: []),
        Case(before: contents(), after: contents([manifest("p")]), changes: [.added(manifest("p"))]),
        Case(before: contents(), after: contents([], [("p", error(1))]), changes: [.broken("p", error(1))]),
        Case(before: contents([manifest("p")]), after: contents(), changes: [.removed("p")]),
        Case(before: contents([], [("p", error(1))]), after: contents(), changes: [.removed("p")]),
        Case(
            before: contents([manifest("p", 1)]), after: contents([manifest("p", 2)]),
            changes: [.changed(manifest("p", 2))]),
        Case(
            before: contents([manifest("p")]), after: contents([manifest("p", enabled: false)]),
            changes: [.disabled(manifest("p", enabled: false))]),
        Case(
            before: contents([manifest("p", 1, enabled: false)]), after: contents([manifest("p", 2)]),
            changes: [.enabled(manifest("p", 2))]),
        Case(
            before: contents([manifest("p")]), after: contents([], [("p", error(3))]),
            changes: [.broken("p", error(3))]),
        Case(before: contents([], [("p", error(3))]), after: contents([], [("p", error(3))]), changes: []),
        Case(
            before: contents([], [("p", error(3))]), after: contents([], [("p", error(4))]),
            changes: [.broken("p", error(4))]),
        Case(
            before: contents([], [("p", error(3))]), after: contents([manifest("p")]),
            changes: [.repaired(manifest("p"))]),
        Case(
            before: contents([manifest("b"), manifest("c")], [("a", error(1))]),
            after: contents([manifest("a"), manifest("d")], [("c", error(2))]),
            changes: [
                .repaired(manifest("a")), .removed("b"), .broken("c", error(2)), .added(manifest("d")),
            ]),
    ]

    @Test(arguments: cases) func whatIsDifferent(_ one: Case) {
        #expect(ManifestChange.between(one.before, one.after) == one.changes)
    }
}
