import Dispatch
import Glibc
import Testing

@testable import PluginHost

@Suite struct PollerTests {
    /// Goes to another thread and comes back.
    private static func leave() async {
        await withCheckedContinuation { continuation in DispatchQueue.global().async { continuation.resume() } }
    }

    @Test func whatPrefersItRunsOnItsThreadAlone() async throws {
        let poller = Poller.next()
        try poller.begin()
        let threads = await withTaskExecutorPreference(poller) {
            var threads: Set<pthread_t> = [pthread_self()]
            for _ in 0..<100 {
                await Self.leave()
                threads.insert(pthread_self())
            }
            await withTaskGroup(of: pthread_t.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        await Self.leave()
                        return pthread_self()
                    }
                }
                for await thread in group { threads.insert(thread) }
            }
            return threads
        }
        #expect(threads.count == 1)
        // It is not one of the pool's, which run what comes back without a preference.
        await Self.leave()
        #expect(!threads.contains(pthread_self()))
    }

    @Test(.timeLimit(.minutes(2))) func noWakeUpIsLost() async throws {
        let poller = Poller.next()
        try poller.begin()
        let rounds = await withTaskExecutorPreference(poller) {
            await withTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        var rounds = 0
                        while rounds < 5_000 {
                            await Self.leave()
                            rounds += 1
                        }
                        return rounds
                    }
                }
                return await group.reduce(0, +)
            }
        }
        #expect(rounds == 40_000)
    }
}
