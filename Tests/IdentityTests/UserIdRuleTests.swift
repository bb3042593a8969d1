import CrowbarCore
import OpenSSL
import Testing

@testable import Identity

@Suite struct UserIdRuleTests {
    @Test(arguments: [
        "ann", "a1", "00", "a.b", "a_b", "a-b", "x..", "admins", "oidc2", String(repeating: "a", count: 32),
    ]) func aPersonCanChoose(_ id: String) {
        #expect(UserIdRule.problem(local: id) == nil)
        #expect(Identifier.isUser(id))
    }

    @Test(arguments: [
        "", "a", "Ann", "aNn", ".ann", "_ann", "-ann", "a b", "a/b", "a:b", "a~b", "oidc:1", "ánn", "ann\n", "a\0b",
        "аnn", String(repeating: "a", count: 33),
    ]) func noPersonCanChoose(_ id: String) {
        #expect(UserIdRule.problem(local: id)?.hasPrefix("a user id has 2 to 32") == true)
    }

    @Test(arguments: [
        "admin", "root", "system", "crowbar", "cli", "incoming", "oidc", "here", "everyone", "all", "create", "list",
        "revoke",
    ]) func reservedIdsAreRefusedToPeopleAndInPartToOperators(_ id: String) {
        #expect(UserIdRule.problem(local: id)?.contains("is reserved") == true)
        let isOperators = !UserIdRule.neverGiven.contains(id)
        #expect((UserIdRule.problem(operator: id) == nil) == isOperators)
    }

    @Test func operatorsMayUseTheWiderShapeButNoSubjectsId() {
        for id in ["A", "Ann", "a:b", "x~y", String(repeating: "Z", count: 128)] {
            #expect(UserIdRule.problem(operator: id) == nil, "\(id)")
        }
        for id in ["root", "admin", "all", "list"] { #expect(UserIdRule.problem(operator: id) == nil, "\(id)") }
        for id in ["cli", "CLI", "incoming", "system", "crowbar", "oidc"] {
            #expect(UserIdRule.problem(operator: id)?.contains("is reserved") == true, "\(id)")
        }
        for id in ["", "a/b", "a b", String(repeating: "Z", count: 129)] {
            #expect(UserIdRule.problem(operator: id)?.hasPrefix("a user's name is 1 to 128") == true, "\(id)")
        }
        for id in ["oidc:", "oidc:1", "OIDC:1", "oIdC:ann"] {
            #expect(UserIdRule.problem(operator: id)?.contains("OpenID") == true, "\(id)")
        }
    }

    @Test func foldingChangesOnlyTheCaseOfLetters() {
        #expect(UserIdRule.folded("AZaz09._:~-@[`{") == "azaz09._:~-@[`{")
    }

    @Test(arguments: [
        ("1234567890", "oidc:1234567890"),
        ("a.b_c-D", "oidc:a.b_c-D"),
        ("auth0|5f7", "oidc:auth0~7C5f7"),
        ("ann@example.org", "oidc:ann~40example.org"),
        ("a~b", "oidc:a~7Eb"),
        ("a/b:c", "oidc:a~2Fb~3Ac"),
        ("é", "oidc:~C3~A9"),
        ("e\u{301}", "oidc:e~CC~81"),
        (" \0\n", "oidc:~20~00~0A"),
    ]) func aSubjectHasAnId(_ subject: String, _ id: String) {
        #expect(UserIdRule.id(ofSubject: subject) == id)
        #expect(Identifier.isUser(id))
    }

    @Test func aLongSubjectKeepsItsStartAndGetsAHash() {
        let fits = String(repeating: "s", count: 123)
        #expect(UserIdRule.id(ofSubject: fits) == "oidc:" + fits, "128 bytes are not too long")
        let long = fits + "s"
        let id = UserIdRule.id(ofSubject: long)
        // printf %0124d 0 | tr 0 s | openssl dgst -sha256 -binary | basenc --base64url | head -c 22
        #expect(id == "oidc:" + String(repeating: "s", count: 93) + "~~" + "JiAFbCmPfu6DLSbVmeIILF")
        #expect(id.utf8.count == 122 && Identifier.isUser(id))
        #expect(UserIdRule.id(ofSubject: long + "s") != id)
        // What is cut is the id, wherever that falls in an escape.
        let escaped = UserIdRule.id(ofSubject: String(repeating: "|", count: 255))
        #expect(escaped.hasPrefix("oidc:~7C~7C") && escaped.utf8.count == 122 && Identifier.isUser(escaped))
        #expect(escaped.utf8.dropFirst(98).starts(with: "~~".utf8))
    }

    @Test func theHashIsInTheAlphabetForURLs() {
        let digests = (0..<64).map { UserIdRule.id(ofSubject: String(repeating: "x", count: 200) + "\($0)").suffix(22) }
        #expect(digests.contains { $0.contains("-") } && digests.contains { $0.contains("_") })
        #expect(digests.allSatisfy { !$0.contains("+") && !$0.contains("/") && !$0.contains("=") })
        #expect(Set(digests).count == digests.count)
    }

    @Test func aSubjectsEventHasAnIdOfItsOwn() {
        let id = UserIdRule.registrationEvent(issuer: "https://a", subject: "1")
        #expect(id == UserIdRule.registrationEvent(issuer: "https://a", subject: "1"))
        #expect(Identifier.isEvent(id) && id.utf8.count == 36)
        #expect(Array(id)[14] == "8", "a UUID of version 8: \(id)")
        let others = [("https://b", "1"), ("https://a", "2"), ("https://a1", ""), ("https://", "a1")]
        #expect(Set(others.map(UserIdRule.registrationEvent) + [id]).count == 5)
    }
}

@Suite struct DisplayNameTests {
    @Test(arguments: ["Ann", "Ann Example", "é", "日本", "👩‍👩‍👧", "O'Neil-Smith", String(repeating: "a", count: 256)])
    func aName(_ name: String) {
        #expect(DisplayName.problem(name) == nil)
        #expect(DisplayName.cleaned(name).map { Array($0.utf8) } == Array(name.utf8))
    }

    @Test(arguments: [
        ("", "blank"), (" \u{3000}", "blank"), ("e\u{301}", "NFC"), ("a\nb", "control"), ("a\0", "control"),
        ("a\u{85}b", "control"), ("a\u{2028}b", "control"), ("\u{202E}nna", "bidirectional"),
        ("a\u{2066}b\u{2069}", "bidirectional"), ("a\u{200F}", "bidirectional"), ("\u{61C}a", "bidirectional"),
        (String(repeating: "é", count: 129), "256 bytes"),
    ]) func noName(_ name: String, _ reason: String) {
        #expect(DisplayName.problem(name)?.contains(reason) == true, "\(DisplayName.problem(name) ?? "accepted")")
    }

    @Test(
        arguments: [
            (" Ann ", "Ann"), ("e\u{301}", "é"), ("\u{202E}nna\u{202C}", "nna"), ("a\nb", "ab"), ("\u{7}", nil),
            ("", nil),
            (" \u{2067} ", nil), (String(repeating: "é", count: 129), String(repeating: "é", count: 128)),
            (String(repeating: "a", count: 255) + " b", String(repeating: "a", count: 255)),
        ] as [(String, String?)]) func aTextOfAnotherSystemIsCleaned(_ text: String, _ name: String?)
    {
        #expect(DisplayName.cleaned(text).map { Array($0.utf8) } == name.map { Array($0.utf8) })
    }
}

@Suite struct Base64URLTests {
    // RFC 4648, section 10, and one text with both characters that differ from plain Base64.
    @Test(arguments: [
        ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
        ("foobar", "Zm9vYmFy"),
    ]) func bothWays(_ plain: String, _ text: String) {
        #expect(Base64URL.encode(Array(plain.utf8)) == text)
        #expect(Base64URL.decode(text.utf8) == Array(plain.utf8))
    }

    @Test func theAlphabetIsThatOfURLs() {
        #expect(Base64URL.encode([0xFB, 0xFF]) == "-_8")
        #expect(Base64URL.decode("-_8".utf8) == [0xFB, 0xFF])
    }

    @Test(arguments: ["Z", "Zg==", "Zm9vY", "Zh", "Zm9", "Z g", "+/8", "Zg\n", "Zm8é"]) func noText(_ text: String) {
        #expect(Base64URL.decode(text.utf8) == nil)
    }
}
