import CrowbarCore
import Synchronization
import Testing

@testable import CrowbarHTTP

/// Whose read markers are reported when.
@Suite struct MarkDispatcherTests {
    private func move(_ user: String, _ channel: String) -> MovedMarker {
        MovedMarker(userId: user, channelId: channel)
    }

    @Test func aUserIsReportedOnceAtATimeWithAllThatMovedMeanwhile() {
        var queue = MarkQueue()
        for move in [move("ann", "b"), move("bob", "a"), move("ann", "a"), move("ann", "b")] { queue.add(move) }
        var next = queue.next()
        #expect(next?.user == "ann" && next?.channels == ["a", "b"])
        for channel in ["c", "d", "c"] { queue.add(move("ann", channel)) }
        next = queue.next()
        #expect(next?.user == "bob" && next?.channels == ["a"])
        #expect(queue.next() == nil)
        queue.finish("ann")
        next = queue.next()
        #expect(next?.user == "ann" && next?.channels == ["c", "d"])
        queue.finish("ann")
        queue.finish("bob")
        #expect(queue.next() == nil)
    }

    @Test func soManyUsersAreReportedAtOnce() {
        var queue = MarkQueue()
        for number in 0...MarkQueue.atOnce { queue.add(move("u\(number)", "a")) }
        var users: [String] = []
        while let next = queue.next() { users.append(next.user) }
        #expect(users == (0..<MarkQueue.atOnce).map { "u\($0)" })
        queue.finish("u7")
        #expect(queue.next()?.user == "u\(MarkQueue.atOnce)")
    }

    /// The report of one user ends only after that of the other.
    @Test(.timeLimit(.minutes(1))) func nobodyWaitsForASlowUser() async {
        let dispatcher = MarkDispatcher()
        let (fast, fastEnds) = AsyncStream.makeStream(of: Void.self)
        let (reports, reported) = AsyncStream.makeStream(of: String.self)
        dispatcher.add(move("slow", "a"))
        dispatcher.add(move("fast", "a"))
        let order = await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await dispatcher.run { user, _ in
                    if user == "slow" { for await _ in fast {} } else { fastEnds.finish() }
                    reported.yield(user)
                }
            }
            var order: [String] = []
            for await user in reports {
                order.append(user)
                if order.count == 2 { break }
            }
            group.cancelAll()
            return order
        }
        #expect(order == ["fast", "slow"])
    }
}
