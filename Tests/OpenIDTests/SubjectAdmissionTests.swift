import CrowbarCore
import Identity
import Testing

@testable import OpenID

/// What a verified token does to the accounts, as a table of inputs and actions.
@Suite struct SubjectAdmissionTests {
    private static func token(isAdmin: Bool? = nil) -> VerifiedToken {
        var token = CodeExchangeTests.token
        token.isAdmin = isAdmin
        return token
    }

    private static func account(
        isAdmin: Bool = false, source: Account.RoleSource = .oidc, isDisabled: Bool = false, isPending: Bool = false
    ) -> Account {
        Account(
            userId: "oidc:u-1", isAdmin: isAdmin, roleSource: source, created: 1, isDisabled: isDisabled,
            isPending: isPending)
    }

    struct Row: Sendable, CustomTestStringConvertible {
        var name: String
        var token = SubjectAdmissionTests.token()
        var syncsNames = false
        /// Inputs, each with the action that follows it.
        var steps: [(SubjectAdmission.Input, SubjectAdmission.Action)]
        var testDescription: String { name }
    }

    private static let member = account()
    private static let admin = account(isAdmin: true)

    private static let rows = [
        Row(name: "known", steps: [(.account(member), .end(.success(member)))]),
        Row(
            name: "first sight",
            steps: [
                (.account(nil), .register), (.registered(.active), .find), (.account(member), .end(.success(member))),
            ]),
        Row(
            name: "pending since a crash",
            steps: [
                (.account(account(isPending: true)), .register), (.registered(.active), .find),
                (.account(member), .end(.success(member))),
            ]),
        Row(
            name: "the group gives a role", token: token(isAdmin: true),
            steps: [
                (.account(member), .setRole(isAdmin: true, userId: "oidc:u-1")),
                (.account(admin), .end(.success(admin))),
            ]),
        Row(
            name: "the group takes a role, also the last admin's", token: token(isAdmin: false),
            steps: [
                (.account(admin), .setRole(isAdmin: false, userId: "oidc:u-1")),
                (.account(member), .end(.success(member))),
            ]),
        Row(
            name: "no group makes admins any more",
            steps: [
                (.account(admin), .setRole(isAdmin: false, userId: "oidc:u-1")),
                (.account(member), .end(.success(member))),
            ]),
        Row(
            name: "a local role stays", token: token(isAdmin: false),
            steps: [
                (
                    .account(account(isAdmin: true, source: .local)),
                    .end(.success(account(isAdmin: true, source: .local)))
                )
            ]),
        Row(
            name: "a local member stays one", token: token(isAdmin: true),
            steps: [(.account(account(source: .local)), .end(.success(account(source: .local))))]),
        Row(
            name: "names are synchronized", syncsNames: true,
            steps: [(.account(member), .rename(userId: "oidc:u-1")), (.renamed, .end(.success(member)))]),
        Row(
            name: "role and name", token: token(isAdmin: true), syncsNames: true,
            steps: [
                (.account(member), .setRole(isAdmin: true, userId: "oidc:u-1")),
                (.account(admin), .rename(userId: "oidc:u-1")), (.renamed, .end(.success(admin))),
            ]),
    ]

    @Test(arguments: rows) func aTokenIsAdmitted(_ row: Row) {
        var admission = SubjectAdmission(row.token, syncsNames: row.syncsNames)
        #expect(admission.first == .find)
        for (input, action) in row.steps { #expect(admission.next(input) == action, "\(input)") }
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        var name: String
        var inputs: [SubjectAdmission.Input]
        var code: CommandError.Code
        var words: String
        var testDescription: String { name }
    }

    private static let refusals = [
        Refusal(
            name: "disabled", inputs: [.account(account(isAdmin: true, isDisabled: true))], code: .forbidden,
            words: "is disabled"),
        Refusal(
            name: "linked elsewhere",
            inputs: [.account(nil), .registered(.refused(.linkedElsewhere(issuer: "https://old.example")))],
            code: .forbidden, words: "this subject is linked to https://old.example; run 'crowbar user link'"),
        Refusal(
            name: "an account without a subject",
            inputs: [.account(nil), .registered(.refused(.accountExists("oidc:u-1")))], code: .userExists,
            words: "'crowbar user link'"),
        Refusal(
            name: "a user of the log", inputs: [.account(nil), .registered(.userExists)], code: .userExists,
            words: "'crowbar user link'"),
        Refusal(
            name: "the log is not there", inputs: [.account(nil), .registered(.unavailable("disk full"))],
            code: .unavailable, words: "disk full"),
        Refusal(
            name: "still pending", inputs: [.account(nil), .registered(.active), .account(account(isPending: true))],
            code: .unavailable, words: "try again"),
        Refusal(
            name: "removed meanwhile", inputs: [.account(nil), .registered(.active), .account(nil)], code: .unavailable,
            words: "try again"),
        Refusal(
            name: "a store fails", inputs: [.failed(CommandError(.unavailable, "no disk"))], code: .unavailable,
            words: "no disk"),
    ]

    @Test(arguments: refusals) func aTokenIsRefused(_ row: Refusal) {
        var admission = SubjectAdmission(Self.token(isAdmin: false), syncsNames: true)
        var action = admission.first
        for input in row.inputs { action = admission.next(input) }
        guard case .end(.failure(let error)) = action else {
            Issue.record("\(action)")
            return
        }
        #expect(error.code == row.code)
        #expect(error.message.contains(row.words), "\(error.message)")
    }
}
