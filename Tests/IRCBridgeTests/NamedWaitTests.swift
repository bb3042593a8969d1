import Testing

@testable import IRCBridge

/// Times to wait in servers' words.
@Suite struct NamedWaitTests {
    @Test(arguments: [
        ("You must wait 6 seconds after joining to send to the channel (+d is set)", 6.0, NamedWait.Origin.join),
        (
            "You cannot send messages to channels until you've been connected for 60 seconds or more (#c)", 60,
            .registration
        ),
        ("You need to be in the channel for at least 10 minutes", 600, .join),
        ("Target change too fast. Please wait 95 seconds.", 95, .answer),
        ("Nick change too fast. Please wait 20 sec.", 20, .answer),
        ("try again in 2 minutes", 120, .answer), ("Try again in 1 minute 30 seconds", 90, .answer),
        ("Please wait 1 hour, 2 minutes and 3 seconds", 3723, .answer),
        ("wait 10s", 10, .answer), ("wait 1m30s", 90, .answer), ("Please wait 5s before sending", 5, .answer),
        ("Rate limited. Retry after 4 seconds", 4, .answer), ("Retry-After: 4", 4, .answer),
        ("retry after 1500 ms", 1.5, .answer), ("Please wait 2.5 seconds", 2.5, .answer),
        ("Cannot send to channel (+x): wait for 3 more seconds to speak", 3, .answer),
        ("Slow mode: one message every 10 seconds, 7 seconds remaining", 7, .answer),
        ("Slow mode is on: one message every 10 seconds", 10, .answer),
        ("You will be able to talk again in 3 seconds.", 3, .answer),
        ("Throttled, try again in 00:05", 5, .answer), ("Try again in 01:02:03", 3723, .answer),
        ("You must wait 1 minute before sending", 60, .answer), ("wait a minute", 60, .answer),
        ("Please wait thirty seconds", 30, .answer), ("12 seconds left until you may speak", 12, .answer),
        ("Cooldown: 8 secs", 8, .answer), ("You must wait 5 seconds to send to #wait-9-seconds", 5, .answer),
    ])
    func aTimeIsRead(words: String, seconds: Double, origin: NamedWait.Origin) throws {
        let wait = try #require(NamedWait(words), "\(words)")
        #expect(wait.seconds == seconds, "\(words)")
        #expect(wait.origin == origin, "\(words)")
    }

    @Test(arguments: [
        "Cannot send to channel", "Message 5 seconds long", "Please wait before sending another message",
        "It is identical to the previous one you sent, less than 30 seconds ago.", "Try again at 12:30",
        "wait a few seconds", "Cannot send to #wait-5-seconds", "You must wait", "Up 12 days, 3:04", "",
    ])
    func whatNamesNoTimeToWaitIsNone(words: String) { #expect(NamedWait(words) == nil, "\(words)") }
}
