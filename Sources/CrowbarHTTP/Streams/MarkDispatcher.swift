import CrowbarCore
import Synchronization

/// Has the moved read markers of each user reported. Users do not wait for each other: a report can take long, as it
/// waits for the views.
final class MarkDispatcher: Sendable {
    private let queue = Mutex(MarkQueue())
    private let wakes: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation

    init() {
        (wakes, waker) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Takes a marker that moved.
    func add(_ move: MovedMarker) {
        queue.withLock { $0.add(move) }
        waker.yield()
    }

    /// Reports until the task is cancelled.
    /// - Parameter report: Reports the markers of a user in some channels.
    func run(_ report: @escaping @Sendable (_ user: String, _ channels: [String]) async -> Void) async {
        await withDiscardingTaskGroup { group in
            for await _ in wakes {
                while let (user, channels) = queue.withLock({ $0.next() }) {
                    group.addTask { [self] in
                        await report(user, channels)
                        queue.withLock { $0.finish(user) }
                        waker.yield()
                    }
                }
            }
        }
    }
}

/// Which users' markers are reported next: those of one user one after the other, those of some users at once. A value.
struct MarkQueue {
    /// The users whose markers are reported at once, at most.
    static let atOnce = 32

    /// The channels in which a marker moved, each once however often it moved.
    private var moved: [String: Set<String>] = [:]
    /// The users who wait, in order of their first move.
    private var order: [String] = []
    private var running: Set<String> = []

    /// Takes a marker that moved.
    mutating func add(_ move: MovedMarker) {
        if moved[move.userId] == nil { order.append(move.userId) }
        moved[move.userId, default: []].insert(move.channelId)
    }

    /// The next user, and the channels in which the user's markers moved; nil if nobody waits or others have to finish.
    mutating func next() -> (user: String, channels: [String])? {
        guard running.count < Self.atOnce, let index = order.firstIndex(where: { !running.contains($0) }) else {
            return nil
        }
        let user = order.remove(at: index)
        running.insert(user)
        return (user, (moved.removeValue(forKey: user) ?? []).sorted())
    }

    /// A user's markers were reported.
    mutating func finish(_ user: String) { running.remove(user) }
}
