import CrowbarCore
import CrowbarTesting
import GRDB
import Synchronization
import Testing

@testable import CrowbarSQLite

@Suite struct SharedCommitsTests {
    /// What happens, and what is done: the changes of a commit, a wait, or nothing.
    private enum Step {
        case add(Int, at: Int64, String)
        case due(at: Int64, String)
        case ended(at: Int64, String)
    }

    private static func run(_ steps: [Step], interval: Int64 = 500, burst: Int64 = 2) {
        var commits = SharedCommits<Int>(interval: interval, burst: burst)
        for (number, step) in steps.enumerated() {
            let action: SharedCommits<Int>.Action?
            let expected: String
            switch step {
            case .add(let change, let now, let text): (action, expected) = (commits.add(change, now: now), text)
            case .due(let now, let text): (action, expected) = (commits.due(now: now), text)
            case .ended(let now, let text): (action, expected) = (commits.ended(now: now), text)
            }
            let done =
                switch action {
                case nil: "nothing"
                case .commit(let changes): "commit \(changes)"
                case .wait(let milliseconds): "wait \(milliseconds)"
                }
            #expect(done == expected, "step \(number): \(step)")
        }
    }

    @Test func changesThatComeSeldomAreCommittedAtOnce() {
        Self.run([
            .add(1, at: 1_000, "commit [1]"), .ended(at: 1_010, "nothing"),
            .add(2, at: 1_500, "commit [2]"), .ended(at: 1_510, "nothing"),
            .add(3, at: 2_000, "commit [3]"), .ended(at: 2_010, "nothing"),
        ])
    }

    @Test func afterABurstThereIsOneCommitAnInterval() {
        Self.run([
            .add(1, at: 0, "commit [1]"), .ended(at: 10, "nothing"),
            .add(2, at: 20, "commit [2]"), .ended(at: 30, "nothing"),
            .add(3, at: 100, "wait 400"), .add(4, at: 300, "nothing"),
            .due(at: 500, "commit [3, 4]"), .ended(at: 510, "nothing"),
            .add(5, at: 600, "wait 400"), .due(at: 1_000, "commit [5]"), .ended(at: 1_010, "nothing"),
            // Two intervals without a change allow two commits again.
            .add(6, at: 2_000, "commit [6]"), .ended(at: 2_001, "nothing"),
            .add(7, at: 2_002, "commit [7]"), .ended(at: 2_003, "nothing"),
            .add(8, at: 2_004, "wait 496"),
        ])
    }

    @Test func whatComesDuringACommitHasTheNext() {
        Self.run([
            .add(1, at: 0, "commit [1]"), .add(2, at: 1, "nothing"), .add(3, at: 2, "nothing"),
            .ended(at: 5, "commit [2, 3]"), .add(4, at: 6, "nothing"), .ended(at: 10, "wait 490"),
            .due(at: 500, "commit [4]"), .ended(at: 600, "nothing"),
        ])
    }

    @Test func aTimerThatComesEarlyOrTwiceDoesNoHarm() {
        Self.run([
            .add(1, at: 0, "commit [1]"), .ended(at: 0, "nothing"), .add(2, at: 0, "commit [2]"),
            .due(at: 0, "nothing"), .ended(at: 0, "nothing"), .ended(at: 0, "nothing"), .due(at: 0, "nothing"),
            .add(3, at: 0, "wait 500"), .due(at: 499, "wait 1"), .due(at: 500, "commit [3]"),
            .due(at: 500, "nothing"),
        ])
    }

    @Test func anIntervalOfNothingLimitsNothing() {
        Self.run(
            [
                .add(1, at: 7, "commit [1]"), .ended(at: 7, "nothing"), .add(2, at: 7, "commit [2]"),
                .ended(at: 7, "nothing"), .add(3, at: 7, "commit [3]"), .ended(at: 7, "nothing"),
            ], interval: 0, burst: 1)
    }

    /// Counts commits.
    private final class Counter: TransactionObserver, Sendable {
        let count = Mutex(0)

        func observes(eventsOfKind: DatabaseEventKind) -> Bool { true }
        func databaseDidChange(with: DatabaseEvent) {}
        func databaseDidCommit(_: Database) { count.withLock { $0 += 1 } }
        func databaseDidRollback(_: Database) {}
    }

    @Test func signInsThatComeTogetherShareCommits() async throws {
        let folder = try TemporaryFolder()
        let accounts = try AccountsDatabase(path: folder.file("accounts.db"))
        let now: Int64 = 1_700_000_000_000
        for user in ["ann", "bob"] { try accounts.add(Account(userId: user, isAdmin: false, created: now)) }
        let counter = Counter()
        accounts.database.add(transactionObserver: counter, extent: .observerLifetime)
        let hashes = (0..<40).map { [UInt8](repeating: $0, count: 32) }
        // One in ten is of a user who has no account: it must be refused alone.
        let results = await withTaskGroup(of: (Int, (any Error)?).self) { group in
            for (index, hash) in hashes.enumerated() {
                let user = index % 10 == 9 ? "nobody" : index % 2 == 0 ? "ann" : "bob"
                group.addTask {
                    do {
                        try await accounts.start(
                            .session(
                                hash: hash, userId: user, scopes: .all, lifetime: nil, address: "a", network: "a",
                                now: now),
                            since: nil)
                        return (index, nil)
                    } catch {
                        return (index, error)
                    }
                }
            }
            return await group.reduce(into: [Int: (any Error)?]()) { $0[$1.0] = .some($1.1) }
        }
        for (index, hash) in hashes.enumerated() {
            let error = try #require(results[index])
            let found = try accounts.principal(forTokenHash: hash, now: now)
            if index % 10 == 9 {
                #expect(error as? AccountFailure == .noAccount("nobody"))
                #expect(found == nil)
            } else {
                #expect(error == nil)
                #expect(found?.userId == (index % 2 == 0 ? "ann" : "bob"), "\(index)")
            }
        }
        // Five on a quiet machine: a burst, and one more for what came while it was made.
        let commits = counter.count.withLock { $0 }
        #expect((1..<hashes.count / 2).contains(commits), "\(commits) commits")
    }
}
