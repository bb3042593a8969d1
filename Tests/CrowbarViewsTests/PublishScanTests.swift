import CrowbarCore
import CrowbarTesting
import Testing

@testable import CrowbarViews

/// Which channels have another content since a position.
@Suite struct PublishScanTests {
    @Test func channelsOfManyRenamedUsersAreFoundInParts() async throws {
        let world = try ViewWorld()
        try await world.driver.settle()
        for id in ["a", "b", "c"] {
            try await world.driver.store(#"{"type":"CREATE_CHANNEL","channelId":"\#(id)"}"#)
        }
        try await world.driver.store(#"{"type":"CREATE_CHANNEL","channelId":"p","private":true}"#)
        let before = try #require(try await world.driver.log.head()).position
        // The first user and the last are in one channel each, and a thousand others are in none.
        for number in 0..<1_100 {
            let user = "u\(10_000 + number)"
            try await world.driver.store(#"{"type":"REGISTER_USER","userId":"\#(user)","name":"N"}"#, as: user)
        }
        try await world.driver.store(#"{"type":"JOIN_CHANNEL","channelId":"a"}"#, as: "u10000")
        try await world.driver.store(#"{"type":"JOIN_CHANNEL","channelId":"c"}"#, as: "u11099")
        try await world.running {
            try await world.settle()
            let all = try #require(try await PublishScan.read(.channels, since: nil, names: nil, world.engine.pool))
            #expect(all.isWhole && all.count == 4 && Set(all.renamed) == ["general", "a", "b", "c"])
            #expect(Set(all.changed.map(\.id)) == ["general", "a", "b", "c"])
            var early = all.mark
            early.position = before
            let some = try #require(
                try await PublishScan.read(.channels, since: all.mark, names: early, world.engine.pool))
            #expect(!some.isWhole && some.changed.isEmpty && Set(some.renamed) == ["a", "c"])
            let none = try #require(
                try await PublishScan.read(.channels, since: all.mark, names: all.mark, world.engine.pool))
            #expect(none.renamed.isEmpty && none.count == 4)
            // Rows of another generation are looked at from the beginning.
            early.generation += 100
            let other = try #require(
                try await PublishScan.read(.channels, since: early, names: early, world.engine.pool))
            #expect(other.isWhole && other.changed.count == 4)
        }
    }
}
