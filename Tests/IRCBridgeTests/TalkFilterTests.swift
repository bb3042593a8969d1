import Testing

@testable import IRCBridge

/// What a user's own connection does not look at.
@Suite struct TalkFilterTests {
    @Test(arguments: [
        (":bob!b@h PRIVMSG #room :hi", true), ("@time=1;msgid=2 :bob!b@h NOTICE #room :hi", true),
        (":s 353 ann = #room :a b c", true), ("PRIVMSG #room :hi", true),
        ("@label=3 :ann!a@h PRIVMSG #room :hi", false), ("@time=1;label=3 :ann!a@h PRIVMSG #room :hi", false),
        (":bob!b@h PRIVMSG @#room :hi", true), (":bob!b@h PRIVMSG ann :hi", false), (":s NOTICE * :hi", false),
        ("PRIVMSG", false), (":bob!b@h JOIN #room", false), ("PING :PRIVMSG", false), (":s 366 ann #room :End", false),
        (":bob!b@h PRIVMSGS #room", false), ("", false), ("@", false), (":", false), ("@label=", false),
    ])
    func isTalk(line: String, isTalk: Bool) { #expect(TalkFilter.isTalk(Array(line.utf8)) == isTalk) }
}
