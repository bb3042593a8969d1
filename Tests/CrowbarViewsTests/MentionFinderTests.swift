import CrowbarCore
import Testing

@testable import CrowbarViews

/// The members of one channel: names and ids, folded.
private struct Names: MemberNames {
    var users: [[UInt8]: [String]] = [:]

    init(_ names: [String: String]) {
        for (id, name) in names {
            for key in Set([id, name].map { Array(MentionFolding.fold($0).utf8) }) {
                users[key, default: []].append(id)
            }
        }
    }

    func greatest(atMost bound: [UInt8], in channel: String) -> [UInt8]? {
        users.keys.filter { !bound.lexicographicallyPrecedes($0) }.max { $0.lexicographicallyPrecedes($1) }
    }

    func users(named folded: [UInt8], in channel: String) -> [String] { (users[folded] ?? []).sorted() }
}

struct MentionFinderTests {
    private static let names = Names([
        "ann": "Ann", "anna": "Anna", "bob": "Bob Miller", "bob2": "Bob", "zoe": "Zoë", "irc/libera/joe": "joe",
        "sam1": "Sam", "sam2": "SAM", "zhang": "张三", "long": String(repeating: "x", count: 256),
    ])

    private static let rows: [(text: String, mentioned: [String])] = [
        ("hello", []),
        ("@ann hello", ["ann"]),
        ("hello @ann", ["ann"]),
        ("@ANN, @Ann and @ann", ["ann"]),
        ("@anna", ["anna"]),
        ("@annabel", []),
        ("@ann's", ["ann"]),
        ("@ann_", ["ann"]),
        ("(@ann)", ["ann"]),
        ("mail ann@ann.test", []),
        ("@@ann", []),
        ("ann @bob miller", ["bob"]),
        ("@bob", ["bob", "bob2"]),
        ("@bob millers", ["bob", "bob2"]),
        ("@bob2", ["bob2"]),
        ("@sam", ["sam1", "sam2"]),
        ("@zoë", ["zoe"]),
        ("@zoe\u{308}", ["zoe"]),
        ("@ＡＮＮ", ["ann"]),
        ("@张三你好", ["zhang"]),
        ("@joe @irc/libera/joe", ["irc/libera/joe"]),
        ("`@ann` @bob2", ["bob2"]),
        ("``a ` @ann`` @bob2", ["bob2"]),
        ("` @ann", ["ann"]),
        ("```\n@ann\n``` @bob2", ["bob2"]),
        // A mark without its counterpart is text (docs/domain.md).
        ("```\n@ann", ["ann"]),
        ("**@ann**", ["ann"]), ("x**@ann**", []), ("@bob\\_", ["bob", "bob2"]), ("www.x.test/@ann", []),
        ("https://social.test/@ann/1 @bob2", ["bob2"]),
        ("<https://social.test/@ann>@bob2", ["bob2"]),
        ("see://@ann", []),
        ("a:// @ann", ["ann"]),
        ("@" + String(repeating: "x", count: 256), ["long"]),
        ("@" + String(repeating: "x", count: 257), []),
        ("@nobody @channel @everyone", []),
        ("@", []),
        ("@ ann", []),
    ]

    @Test(arguments: rows.indices) func findsWhoIsMentioned(row: Int) throws {
        let (text, mentioned) = Self.rows[row]
        let found = try MentionFinder.users(
            in: text, channel: "general", names: Self.names, folding: MentionFolding.fold)
        #expect(Set(found) == Set(mentioned), "\(text)")
        #expect(found.count == mentioned.count, "\(text)")
    }

    @Test func mentionsAreLimited() throws {
        let many = Names(Dictionary(uniqueKeysWithValues: (0..<100).map { ("user\($0)", "User \($0)") }))
        let text = (0..<100).map { "@user\($0)" }.joined(separator: " ")
        let found = try MentionFinder.users(in: text, channel: "c", names: many, folding: MentionFolding.fold)
        #expect(found == (0..<50).map { "user\($0)" })
    }

    /// Each `@` costs index lookups, so no text makes more than a fixed number of them.
    @Test func lookupsAreLimited() throws {
        final class Counting: MemberNames {
            var count = 0
            func greatest(atMost bound: [UInt8], in channel: String) -> [UInt8]? {
                count += 1
                return nil
            }
            func users(named folded: [UInt8], in channel: String) -> [String] { [] }
        }
        let names = Counting()
        let text = String(repeating: "@b ", count: 5000)
        #expect(try MentionFinder.users(in: text, channel: "c", names: names, folding: { $0 }).isEmpty)
        #expect(names.count == 500)
    }
}
