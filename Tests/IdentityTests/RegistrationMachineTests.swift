import CrowbarCore
import Testing

@testable import Identity

@Suite struct RegistrationMachineTests {
    private typealias Machine = RegistrationMachine

    private static let pending = PendingRegistration(
        account: Account(userId: "ann", isAdmin: false, created: 1), name: "Ann", eventId: "e1")
    private static let adopted = PendingRegistration(
        account: Account(userId: "ann", isAdmin: false, created: 1), name: "Ann", eventId: "e1", mayAdopt: true)
    private static let busy = CommandError(.unavailable, "busy")
    private static let checked = CommandError(.refused, "not here")

    /// What is answered to the actions in turn, and the actions that follow.
    private static let stories: [(name: String, steps: [(Machine.Input, Machine.Action)])] = [
        (
            "it works",
            [
                (.begun(pending), .register(pending)), (.log(.registered), .finish(pending)),
                (.finished, .end(.active)), (.finished, .end(.active)),
            ]
        ),
        ("the accounts refuse it", [(.refused(.inviteInvalid), .end(.refused(.inviteInvalid)))]),
        ("the subject has an account", [(.isActive, .end(.active))]),
        ("the accounts cannot be written", [(.storeFailed("full"), .end(.unavailable("full")))]),
        (
            "the log has the user",
            [
                (.begun(pending), .register(pending)), (.log(.userExists), .rollBack(pending)),
                (.rolledBack, .end(.userExists)),
            ]
        ),
        (
            "the log has the user, who gets an account",
            [
                (.begun(adopted), .register(adopted)), (.log(.userExists), .finish(adopted)),
                (.finished, .end(.active)),
            ]
        ),
        (
            "another event has the id",
            [
                (.begun(adopted), .register(adopted)), (.log(.eventIdTaken), .rollBack(adopted)),
                (.rolledBack, .end(.eventIdTaken)),
            ]
        ),
        (
            "the log refuses the user",
            [
                (.begun(pending), .register(pending)), (.log(.refused(checked)), .rollBack(pending)),
                (.rolledBack, .end(.refusedByLog(checked))),
            ]
        ),
        (
            "the log does not answer: it stays pending",
            [(.begun(pending), .register(pending)), (.log(.unavailable(busy)), .end(.unavailable("busy")))]
        ),
        (
            "the accounts fail at the end: it stays pending",
            [
                (.begun(pending), .register(pending)), (.log(.registered), .finish(pending)),
                (.storeFailed("full"), .end(.unavailable("full"))),
            ]
        ),
        (
            "it cannot be removed: it stays pending",
            [
                (.begun(pending), .register(pending)), (.log(.userExists), .rollBack(pending)),
                (.storeFailed("full"), .end(.unavailable("full"))),
            ]
        ),
        (
            "another run removed it",
            [
                (.begun(pending), .register(pending)), (.log(.registered), .finish(pending)),
                (.refused(.noAccount("ann")), .end(.refused(.noAccount("ann")))),
            ]
        ),
        (
            "an answer out of turn",
            [
                (.begun(pending), .register(pending)),
                (.finished, .end(.unavailable("the registration got an answer out of turn"))),
            ]
        ),
    ]

    @Test(arguments: stories.indices) func aRegistrationEnds(_ index: Int) {
        let story = Self.stories[index]
        var machine = Machine.new
        #expect(machine.first == .begin)
        for (step, (input, action)) in story.steps.enumerated() {
            #expect(machine.next(input) == action, "\(story.name), step \(step)")
        }
    }

    @Test func whatIsPendingGoesOnWithTheLog() {
        var machine = Machine.resuming(Self.pending)
        #expect(machine.first == .register(Self.pending))
        #expect(machine.next(.log(.registered)) == .finish(Self.pending))
        #expect(machine.next(.finished) == .end(.active))
    }
}
