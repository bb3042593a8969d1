import CrowbarCore
import CrowbarTesting
import Foundation
import JSONBytes
import Testing

@testable import CrowbarViews

/// The events of Tests/PageTests/Vectors/fold.json and what the views make of them. The web page folds the same events
/// in JavaScript and must come to the same (Tests/PageTests/Browser/fold.py).
///
/// A case has commands, the events that they become, and the views of a reader. After a change of the commands, run
/// this test with CROWBAR_WRITE_VECTORS=1: it writes events and views.
@Suite struct FoldVectorTests {
    private static let file =
        String(#filePath.dropLast("CrowbarViewsTests/FoldVectorTests.swift".count))
        + "PageTests/Vectors/fold.json"

    @Test func theViewsAreThoseOfTheVectors() async throws {
        let text = try Data(contentsOf: URL(filePath: Self.file))
        let cases = try #require(try JSON(parsing: Array(text)).array)
        #expect(cases.count > 5)
        var computed: [JSON] = []
        for vector in cases { computed.append(try await Self.computed(vector)) }
        if ProcessInfo.processInfo.environment["CROWBAR_WRITE_VECTORS"] != nil {
            var lines = computed.map { String(decoding: $0.bytes, as: UTF8.self) }.joined(separator: ",\n")
            lines = "[\n\(lines)\n]\n"
            try lines.write(toFile: Self.file, atomically: true, encoding: .utf8)
            return
        }
        for (vector, found) in zip(cases, computed) {
            let name = vector["name"]?.string ?? ""
            for part in ["events", "views"] {
                #expect(found[part]?.bytes == vector[part]?.bytes, "\(part) of '\(name)'")
            }
        }
    }

    /// A case with its events and views as they are now.
    private static func computed(_ vector: JSON) async throws -> JSON {
        let world = try ViewWorld()
        let reader = vector["reader"]?.string ?? ""
        let commands = vector["commands"]?.array ?? []
        for command in commands {
            world.driver.clock.advance(by: 1_000)
            let json = String(decoding: command["command"]?.bytes ?? [], as: UTF8.self)
            _ = try await world.driver.store(json, as: command["as"]?.string ?? "")
        }
        var events: [JSON] = []
        for position in 1...Int64(commands.count) {
            let event = try JSON(parsing: Array(try await world.driver.event(position).utf8))
            events.append(.object([.init("position", .int(position)), .init("event", event)]))
        }
        let views: JSON = try await world.running {
            try await world.settle()
            let access = try await world.access(reader)
            let channels = try JSON(parsing: try await world.reader.channels(for: access).body)
            let ids = (channels.array ?? []).compactMap { $0["id"]?.string }
            var (messages, members): ([JSON.Member], [JSON.Member]) = ([], [])
            for id in ids {
                let page = try await world.reader.messages(id, .newest, limit: 500, for: access)
                messages.append(.init(id, try JSON(parsing: page.body)["messages"] ?? .null))
                let channel = try await world.reader.channel(id, after: nil, limit: 500, for: access)
                members.append(.init(id, try JSON(parsing: channel.body)["users"] ?? .null))
            }
            return .object([
                .init("allchannels", channels), .init("messages", .object(messages)),
                .init("members", .object(members)),
            ])
        }
        return .object([
            .init("name", vector["name"] ?? .null), .init("reader", .string(reader)),
            .init("commands", .array(commands)), .init("events", .array(events)), .init("views", views),
        ])
    }
}
