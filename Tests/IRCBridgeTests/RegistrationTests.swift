import Testing

@testable import IRCBridge

@Suite struct RegistrationTests {
    /// What is written after each line of the server; a failure and the end are written as text too.
    private func play(_ more: String, _ lines: [String]) throws -> [[String]] {
        var registration = Registration(try Tables.network(more), nonce: "")
        let steps = [registration.begin()] + lines.map { registration.take(Tables.line($0)) }
        return steps.map { steps in
            steps.map { step in
                switch step {
                case .send(let line): line
                case .derive(let derivation): "derive \(derivation.rounds)"
                case .registered(let nick): "registered \(nick)"
                case .failed(let reason, let isFinal): (isFinal ? "final: " : "failed: ") + reason
                case .proved: "proved"
                case .unproved(let reason): "unproved: " + reason
                }
            }
        }
    }

    private static let hello = ["CAP LS 302", "NICK crow", "USER crowbar 0 * Crowbar"]
    private static let nickServ = #","nickserv":{"password":"p"}"#
    private static let password = #","server_password":"open""#
    private static let sasl = #","sasl":{"mechanism":"plain","account":"jilles","password":"sesame"}"#

    @Test func aServerWithoutCapabilitiesIsEnough() throws {
        let steps = try play("", [":s 421 crow CAP :Unknown command", ":s 001 crow :Welcome"])
        #expect(steps[0].prefix(2) == Self.hello.prefix(2))
        #expect(steps[1...] == [[], ["registered crow"]])
    }

    @Test func thePasswordComesFirst() throws {
        #expect(try play(#","server_password":"open sesame""#, [])[0].first == "PASS :open sesame")
    }

    @Test func capabilitiesAreTakenOverSeveralLines() throws {
        let steps = try play(
            "",
            [
                ":s CAP * LS * :multi-prefix message-tags", ":s CAP * LS :server-time sasl=PLAIN,EXTERNAL",
                ":s CAP * ACK :message-tags server-time", ":s 001 crow :Welcome",
            ])
        #expect(
            steps[1...] == [[], ["CAP REQ :message-tags multi-prefix server-time"], ["CAP END"], ["registered crow"]])
    }

    @Test func whatIsNotGrantedIsDoneWithout() throws {
        let steps = try play("", [":s CAP * LS :server-time", ":s CAP * NAK :server-time"])
        #expect(steps[1...] == [["CAP REQ :server-time"], ["CAP END"]])
    }

    @Test func saslPlainAuthenticates() throws {
        let steps = try play(
            Self.sasl,
            [
                ":s CAP * LS :sasl", ":s CAP * ACK :sasl", "AUTHENTICATE +", ":s 900 crow a b :You are now logged in",
                ":s 903 crow :SASL authentication successful", ":s 001 crow :Welcome",
            ])
        // The example of the SASL 3.1 specification.
        let answer = "AUTHENTICATE amlsbGVzAGppbGxlcwBzZXNhbWU="
        let expected = [
            ["CAP REQ sasl"], ["AUTHENTICATE PLAIN"], [answer], [], ["CAP END"], ["registered crow"],
        ]
        #expect(steps[1...].map { $0.map { $0.replacing("REQ :", with: "REQ ") } } == expected)
    }

    @Test(arguments: [1, 2])
    func aSASLAnswerOfFullPiecesIsEnded(pieces: Int) throws {
        // Three bytes become four: account, account, password and two NULs fill the pieces to the byte.
        let password = String(repeating: "p", count: 300 * pieces - 4)
        let more = #","sasl":{"account":"a","password":"\#(password)"}"#
        let lines = try play(more, [":s CAP * LS :sasl", ":s CAP * ACK :sasl", "AUTHENTICATE +"])[3]
        #expect(lines.count == pieces + 1)
        #expect(lines.dropLast().allSatisfy { $0.utf8.count == "AUTHENTICATE ".utf8.count + 400 })
        #expect(lines.last == "AUTHENTICATE +")
    }

    @Test(
        "ends for good",
        arguments: [
            (sasl, [":s CAP * LS :server-time"], "does not offer SASL"),
            (sasl, [":s 001 crow :Welcome"], "does not offer SASL"),
            (sasl, [":s CAP * LS :sasl", ":s CAP * NAK :sasl"], "refuses SASL"),
            (
                sasl, [":s CAP * LS :sasl", ":s CAP * ACK :sasl", ":s 904 crow :SASL authentication failed"],
                "SASL failed"
            ),
            ("", [":s 464 * :Password incorrect"], "the server wants a password, set server_password: Password"),
            (password, [":s 464 * :Password incorrect"], "wrong server_password: Password incorrect"),
            (password, [":s 465 * :Bad Password"], "wrong server_password: Bad Password"),
            ("", [":s 465 * :You are banned"], "banned"),
            (
                "", Array(repeating: ":s 432 * crow :Erroneous nickname", count: Registration.maxNicks),
                "does not accept the nick 'crow' nor 9 like it (Erroneous nickname); set another 'nick'"
            ),
            (sasl, [":s CAP * LS :sasl server-time", ":s CAP * ACK :server-time"], "does not grant SASL"),
            (sasl, [":s CAP * LS :sasl", ":s 001 crow :Welcome"], "without proof of its account"),
            (
                sasl, [":s CAP * LS :sasl", ":s CAP * ACK :sasl", "AUTHENTICATE +", ":s 001 crow :Welcome"],
                "without proof"
            ),
            // NickServ is for servers that have no SASL.
            (sasl + nickServ, [":s CAP * LS :sasl", ":s CAP * ACK :sasl", ":s 001 crow :Welcome"], "without proof"),
            (sasl + nickServ, [":s CAP * LS :sasl server-time", ":s CAP * ACK :server-time"], "does not grant SASL"),
        ])
    func endsForGood(more: String, lines: [String], reason: String) throws {
        let last = try #require(try play(more, lines).last?.first)
        #expect(last.hasPrefix("final: "))
        #expect(last.contains(reason))
        #expect(!last.contains("sesame"))
    }

    @Test func anAccountThatWasProvedBeforeIsProved() throws {
        let steps = try play(
            Self.sasl,
            [
                ":s CAP * LS :sasl", ":s CAP * ACK :sasl", ":s 907 crow :You have already authenticated",
                ":s 001 crow :x",
            ])
        #expect(steps[3...] == [["CAP END"], ["registered crow"]])
        let twice = try play(
            Self.sasl,
            [":s CAP * LS :sasl", ":s CAP * ACK :sasl", "AUTHENTICATE +", ":s 903 crow :x", ":s 907 crow :x"])
        #expect(twice[4...] == [["CAP END"], []])
        // Nobody without the password says that they know it.
        let scram = Self.sasl.replacing("plain", with: "scram-sha-256")
        let hasty = try play(scram, [":s CAP * LS :sasl", ":s CAP * ACK :sasl", ":s 907 crow :x"])
        #expect(hasty[3].first?.hasPrefix("final: SASL failed: the server has not shown") == true)
        // Who did not ask has nothing to end.
        #expect(try play("", [":s 903 crow :x"])[1] == [])
    }

    @Test func aListOfCapabilitiesHasAnEnd() throws {
        let line = ":s CAP * LS * :" + (0..<50).map { "example.org/cap\($0)" }.joined(separator: " ")
        let steps = try play("", Array(repeating: line, count: Registration.maxListLines + 2))
        #expect(steps[Registration.maxListLines] == [])
        #expect(steps.suffix(2) == [["failed: the server's list of capabilities has no end"], []])
    }

    @Test func aNickThatIsNoneIsNotTaken() throws {
        for nick in [String(repeating: "x", count: 5000), "a\0b", ""] {
            #expect(try play("", [":s 001 \(nick) :Welcome"])[1] == ["registered crow"] || nick.isEmpty)
        }
    }

    @Test func aRefusedSetOfCapabilitiesIsTriedWithSASLAlone() throws {
        let steps = try play(Self.sasl, [":s CAP * LS :server-time sasl", ":s CAP * NAK :server-time sasl"])
        #expect(steps[1...] == [["CAP REQ :server-time sasl"], ["CAP REQ :sasl"]])
    }

    @Test func nicksInUseAreGotAround() throws {
        let taken = Array(repeating: ":s 433 * crow :Nickname is already in use", count: Registration.maxNicks)
        let steps = try play("", taken + [":s 001 x :Welcome"])
        #expect(steps[1...3] == [["NICK crow_"], ["NICK crow__"], ["NICK crow_3"]])
        #expect(steps[Registration.maxNicks][0].hasPrefix("failed: 'crow'"))
        #expect(steps.last == [])
    }

    @Test(
        "alternatives",
        arguments: [
            ("crowbar", 1, "crowbar_"), ("crowbar", 2, "crowbar__"), ("crowbar", 3, "crowbar_3"),
            ("ninebytes", 1, "ninebyte_"), ("averylongnick", 1, "averylongnic_"),
        ])
    func alternatives(nick: String, tries: Int, expected: String) {
        #expect(Registration.alternative(nick, tries) == expected)
    }
}
