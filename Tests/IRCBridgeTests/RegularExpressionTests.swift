import Glibc
import PluginKit
import Testing

@testable import IRCBridge

/// Expressions of `ignore`: what they mean, what they cost, and which are refused.
@Suite struct RegularExpressionTests {
    private static func expression(_ pattern: String) throws -> RegularExpression {
        try RegularExpression(pattern.utf8)
    }

    @Test(arguments: [
        ("a", "xay", true), ("A", "xay", true), ("a", "xyz", false), ("^a", "ab", true), ("^b", "ab", false),
        ("b$", "ab", true), ("a$", "ab", false), ("^$", "", true), ("^$", "a", false), ("a.c", "abc", true),
        ("a.c", "ac", false), ("ab*c", "ac", true), ("ab*c", "abbbc", true), ("ab+c", "ac", false),
        ("ab?c", "abc", true), ("ab?c", "abbc", false), ("^a{3}$", "aaa", true), ("^a{3}$", "aaaa", false),
        ("^a{2,}$", "aaaa", true), ("^a{2,}$", "a", false), ("^a{1,2}$", "aaa", false), ("^a{,2}$", "aa", true),
        ("^(ab|cd)+$", "abcdab", true), ("^(ab|cd)+$", "abc", false), ("^(|a)b$", "b", true), ("^()b$", "b", true),
        ("[abc]", "xcx", true), ("[^abc]", "abc", false), ("[^a]", "A", false), ("[a-c]", "B", true),
        ("[]x]", "]", true), ("[^]x]", "]", false), ("[a-]", "-", true), ("[\\]", "\\", true),
        ("[[:digit:]]", "a1", true),
        ("[[:digit:]]", "ab", false), ("[[:alpha:]_]", "_", true), ("[^[:space:]]", " ", false), ("\\.", "a", false),
        ("\\.", ".", true), ("\\w", "-_-", true), ("\\W", "ab", false), ("\\s", "a b", true), ("\\S", "  ", false),
        ("\\bbot\\b", "a bot!", true), ("\\bbot\\b", "robot", false), ("\\Bbot", "robot", true),
        ("\\<bot", "robot", false), ("bot\\>", "robot!", true), ("a)", "a)", true), ("\\{", "{", true),
        ("é", "é", true),
        ("^[[:alpha:]][^!]*!~?web[0-9]{1,3}@.*\\.example\\.(org|net)$", "guest!~web12@a.example.net", true),
        ("^[[:alpha:]][^!]*!~?web[0-9]{1,3}@.*\\.example\\.(org|net)$", "guest!~web1234@a.example.net", false),
        ("(a*)*b", "aaab", true), ("(a*)*$", "b", true), ("((a|b){2}){2}", "abab", true),
    ])
    func whatItFits(pattern: String, text: String, isMatch: Bool) throws {
        #expect(try Self.expression(pattern).matches(Array(text.utf8)) == isMatch)
    }

    @Test(arguments: [
        ("(", "a '(' is not closed"), ("a(b|c", "a '(' is not closed"), ("[a", "a '[' is not closed"),
        ("[", "a '[' is not closed"), ("*a", "there is nothing before '*'"), ("a|+", "there is nothing before '+'"),
        ("{3}", "there is nothing before '{'"), ("(?:a)", "there is nothing before '?'"), ("a{", "is no count"),
        ("a{x}", "is no count"), ("a{3,2}", "is no count"), ("a{}", "is no count"), ("a{,}", "is no count"),
        ("a{256}", "over 255"), ("a{99999999999999999999}", "over 255"), ("[z-a]", "goes backwards"),
        ("(a)\\1", "refers back to a group"), ("\\d", "write [0-9]"), ("\\q", "has no meaning"),
        ("a\\", "ends with '\\'"),
        ("[[:no:]]", "'[:no' is none of [:alnum:]"), ("[[.a.]]", "not supported"), ("[[=a=]]", "not supported"),
        ("^*", "repeats a place"), ("((a{255}){255}){255}", "too large"), ("(a{100}){100}", "too large"),
        ("(((((((((a?){255}){255}){255}){255}){255}){255}){255}){255}){255}", "too large"),
    ])
    func whatIsRefused(pattern: String, reason: String) {
        do throws(RegularExpression.Problem) {
            _ = try RegularExpression(pattern.utf8)
            Issue.record("\(pattern) was read")
        } catch {
            #expect(error.message.contains(reason), "\(error.message)")
        }
    }

    @Test(
        "a hostile text costs no more than the length of the expression for each byte",
        arguments: [
            "(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*a){12}$", "(a*)*$", "^(a?){30}a{30}$", "(([a-z])+.)+[A-Z]([a-z])+$",
            "(.*)*!(.*)*@(.*)*x$", "a.{100}$", "(a+a+)+b", "\\b(\\w+\\s*)+$",
        ])
    func stepsAreBounded(pattern: String) throws {
        let expression = try Self.expression(pattern)
        for text in [String(repeating: "a", count: 400) + "!", String(repeating: "aA", count: 200) + "\u{1}"] {
            let bytes = Array(text.utf8)
            #expect(expression.match(bytes).steps <= expression.size * (bytes.count + 1))
        }
    }

    @Test("it means what the system's own matcher says, for random expressions and texts")
    func agreesWithTheSystem() {
        var random = SeededGenerator(seed: 16)
        let parts = [
            "a", "b", "c", ".", "*", "+", "?", "(", ")", "|", "[ab]", "[^a]", "{2}", "{1,2}", "^", "$", "[[:alpha:]]",
        ]
        var compared = 0
        for _ in 0..<4_000 {
            let pattern = (0..<Int.random(in: 1...8, using: &random)).map { _ in
                parts.randomElement(using: &random) ?? ""
            }
            .joined()
            guard let own = try? Self.expression(pattern) else { continue }
            var system = regex_t()
            guard regcomp(&system, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB) == 0 else { continue }
            defer { regfree(&system) }
            for _ in 0..<8 {
                let text = (0..<Int.random(in: 0...7, using: &random)).map { _ in
                    ["a", "B", "c", "-"].randomElement(using: &random) ?? ""
                }.joined()
                let expected = regexec(&system, text, 0, nil, 0) == 0
                #expect(own.matches(Array(text.utf8)) == expected, "\(pattern) on \(text)")
                compared += 1
            }
        }
        #expect(compared > 5_000)
    }

    @Test func allExpressionsOfANetworkTogetherAreBounded() throws {
        func network(_ count: Int) throws -> NetworkConfig {
            let masks = (0..<count).map { "\"/^\(String(repeating: "a", count: 150))\($0)/\"" }.joined(separator: ",")
            return try Tables.network(",\"ignore\":[\(masks)]")
        }
        #expect(try network(25).ignore.count == 25)
        #expect {
            try network(28)
        } throws: {
            ($0 as? ConfigError)?.path == "networks[0].ignore" && "\($0)".contains("over 4000 steps")
        }
    }

    @Test func aSourceThatNoServerSendsIsIgnored() throws {
        let mask = try #require(IgnoreMask("*!*@bad.host"))
        let name = String(repeating: "x", count: IgnoreMask.longestSource)
        #expect(mask.matches(name + "!a@good.host"))
        #expect(!mask.matches("x!a@good.host"))
    }
}
