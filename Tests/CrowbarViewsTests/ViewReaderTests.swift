import CrowbarCore
import CrowbarTesting
import JSONBytes
import Testing

@testable import CrowbarViews

struct ViewReaderTests {
    private static func say(_ id: String, _ text: String, in channel: String = "general", more: String = "") -> String {
        #"{"type":"SEND_MESSAGE","channelId":"\#(channel)","messageId":"\#(id)","eventId":"e-\#(id)","#
            + #""message":"\#(text)"\#(more)}"#
    }

    @Test func usersAreListedByIdAndPage() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.driver.store(#"{"type":"REGISTER_USER","userId":"irc/joe","name":"joe"}"#)
            try await world.driver.store(#"{"type":"RENAME_USER","name":"Bobby"}"#, as: "bob")
            try await world.settle()
            let all = try await world.reader.users(after: nil, limit: 10, isBridged: true, for: world.access())
            #expect(all.text == #"{"ann":{"name":"Ann"},"bob":{"name":"Bobby"},"irc/joe":{"name":"joe"}}"#)
            #expect(all.changed == 5)
            #expect(all.checkpoint.position == 5)
            let people = try await world.reader.users(after: nil, limit: 10, isBridged: false, for: world.access())
            #expect(people.text == #"{"ann":{"name":"Ann"},"bob":{"name":"Bobby"}}"#)
            let first = try await world.reader.users(after: nil, limit: 1, isBridged: false, for: world.access())
            #expect(first.text == #"{"ann":{"name":"Ann"}}"#)
            #expect(first.changed == 1)
            let second = try await world.reader.users(after: "ann", limit: 1, isBridged: false, for: world.access())
            #expect(second.text == #"{"bob":{"name":"Bobby"}}"#)
        }
    }

    @Test func channelsHaveTheirMembers() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.driver.store(
                #"{"type":"CREATE_CHANNEL","channelId":"den","channelName":"The den","channelDescription":"d"}"#)
            try await world.driver.store(#"{"type":"JOIN_CHANNEL","channelId":"den"}"#, as: "bob")
            try await world.driver.store(#"{"type":"SET_TOPIC","channelId":"den","topic":"t"}"#)
            try await world.settle()
            let list = try await world.reader.channels(for: world.access("bob"))
            #expect(
                list.text == #"[{"id":"general","name":"general","users":1},"#
                    + #"{"id":"den","name":"The den","description":"d","topic":"t","users":2,"member":true}]"#)
            #expect(list.changed == 6)
            let den = try await world.reader.channel("den", after: nil, limit: 10, for: world.access())
            #expect(
                den.text == #"{"id":"den","name":"The den","description":"d","topic":"t","private":false,"#
                    + #""creator":"ann","count":2,"users":[{"id":"ann","name":"Ann"},{"id":"bob","name":"Bob"}]}"#)
            try await world.driver.store(#"{"type":"RENAME_USER","name":"Bobby"}"#, as: "bob")
            try await world.driver.store(#"{"type":"LEAVE_CHANNEL","channelId":"general"}"#)
            try await world.settle()
            let renamed = try await world.reader.channel("den", after: "ann", limit: 10, for: world.access())
            #expect(renamed.text.hasSuffix(#""users":[{"id":"bob","name":"Bobby"}]}"#))
            #expect(renamed.changed == 7)
            try await world.driver.store(#"{"type":"DESTROY_CHANNEL","channelId":"den"}"#)
            try await world.settle()
            await #expect(throws: ViewRefusal.channelNotFound) {
                try await world.reader.channel("den", after: nil, limit: 10, for: world.access())
            }
            let rest = try await world.reader.channels(for: world.access())
            #expect(rest.text == #"[{"id":"general","name":"general","users":0}]"#)
            #expect(rest.changed == 9)
        }
    }

    @Test func aMessageHasAllItsMembers() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.driver.store(#"{"type":"JOIN_CHANNEL","channelId":"general"}"#, as: "bob")
            try await world.driver.store(Self.say("m0", "hello"))
            try await world.driver.store(
                Self.say("m1", "hi @bob", more: #","replyTo":"m0","kind":"action","meta":{"a":[1]}"#))
            world.driver.clock.advance(by: 1000)
            try await world.driver.store(
                #"{"type":"EDIT_MESSAGE","eventId":"e-edit","channelId":"general","messageId":"m0","message":"hello!"}"#
            )
            try await world.settle()
            let page = try await world.reader.messages("general", .newest, limit: 10, for: world.access())
            let first =
                #"{"messageId":"m0","eventId":"e-m0","position":5,"timestamp":1700000000000,"userId":"ann","#
                + #""userName":"Ann","text":"hello!","kind":"text","#
                + #""edited":{"eventId":"e-edit","timestamp":1700000001000}}"#
            let second =
                #"{"messageId":"m1","eventId":"e-m1","position":6,"timestamp":1700000000000,"userId":"ann","#
                + #""userName":"Ann","text":"hi @bob","kind":"action","replyTo":{"messageId":"m0","eventId":"e-m0","#
                + #""userId":"ann","userName":"Ann","text":"hello!"},"mentions":["bob"],"meta":{"a":[1]}}"#
            #expect(page.text == #"{"messages":[\#(first),\#(second)],"older":false,"newer":false}"#)
            #expect(page.changed == 7)
            let all = try await world.reader.allMessages(limit: 1, for: world.access())
            #expect(all.text == #"{"general":[\#(second)]}"#)
            try await world.driver.store(#"{"type":"DELETE_MESSAGE","channelId":"general","messageId":"m0"}"#)
            try await world.settle()
            let after = try await world.reader.messages("general", .newest, limit: 10, for: world.access())
            #expect(after.text.contains(#""replyTo":{"messageId":"m0","deleted":true}"#))
            #expect(!after.text.contains("hello"))
        }
    }

    /// A message keeps its author's name of then, and mentions those who had the name, and were members, then.
    @Test func namesAreThoseOfTheMessagesPosition() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            func rename(_ name: String, _ user: String) async throws {
                try await world.driver.store(#"{"type":"RENAME_USER","name":"\#(name)"}"#, as: user)
            }
            try await world.driver.store(Self.say("m0", "@Bob is no member yet"))
            try await world.driver.store(#"{"type":"JOIN_CHANNEL","channelId":"general"}"#, as: "bob")
            try await world.driver.store(Self.say("m1", "@Bob, not @Robert"))
            try await rename("Robert", "bob")
            try await rename("Anna", "ann")
            try await world.driver.store(Self.say("m2", "@Robert, not @Bobby"))
            try await world.driver.store(#"{"type":"LEAVE_CHANNEL","channelId":"general"}"#, as: "bob")
            try await world.driver.store(Self.say("m3", "@Robert has left"))
            // An edit is as of its own position.
            try await world.driver.store(
                #"{"type":"EDIT_MESSAGE","channelId":"general","messageId":"m2","message":"@Robert and @bob"}"#)
            try await world.settle()
            let page = try JSONObject(
                parsing: try await world.reader.messages("general", .newest, limit: 9, for: world.access()).body)
            let messages = try #require(page.objects("messages"))
            #expect(messages.compactMap { $0.string("userName") } == ["Ann", "Ann", "Anna", "Anna"])
            let mentions = messages.map { message in message.raw("mentions").map { String(decoding: $0, as: UTF8.self) }
            }
            #expect(mentions == [nil, #"["bob"]"#, nil, nil])
        }
    }

    @Test func reactionsAreCountedInOrder() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.driver.store(#"{"type":"JOIN_CHANNEL","channelId":"general"}"#, as: "bob")
            try await world.driver.store(Self.say("m", "hello"))
            func react(_ type: String, _ reaction: String, _ user: String) async throws {
                try await world.driver.store(
                    #"{"type":"\#(type)","channelId":"general","messageId":"m","reaction":"\#(reaction)"}"#, as: user)
            }
            try await react("ADD_REACTION", "👍", "bob")
            try await react("ADD_REACTION", ":ok:", "bob")
            try await react("ADD_REACTION", "👍", "ann")
            try await react("REMOVE_REACTION", ":ok:", "bob")
            try await react("ADD_REACTION", ":tada:", "ann")
            try await world.settle()
            let mine = try await world.reader.messages("general", .newest, limit: 1, for: world.access("ann"))
            let reactions =
                #""reactions":[{"reaction":"👍","count":2,"users":["bob","ann"],"mine":true},"#
                + #"{"reaction":":tada:","count":1,"users":["ann"],"mine":true}]"#
            #expect(mine.text.contains(reactions))
            #expect(mine.changed == 10)
            let theirs = try await world.reader.messages("general", .newest, limit: 1, for: world.access())
            #expect(theirs.text.contains(reactions.split(separator: #","mine":true"#).joined()))
        }
    }

    @Test func whoMayNotReadAChannelDoesNotSeeIt() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.driver.store(#"{"type":"CREATE_CHANNEL","channelId":"den","private":true}"#)
            try await world.driver.store(Self.say("m", "secret word", in: "den"))
            try await world.driver.store(#"{"type":"INVITE_USER","channelId":"den","invitee":"bob"}"#)
            try await world.settle()
            let before = try await world.reader.channels(for: world.access()).changed
            #expect(before == 3)
            #expect(try await world.everything("ann").allSatisfy { $0.contains("den") })
            for user in ["bob", "cleo", nil] {
                #expect(try await world.everything(user).allSatisfy { !$0.contains("den") && !$0.contains("secret") })
                let access = try await world.access(user)
                await #expect(throws: ViewRefusal.channelNotFound) {
                    try await world.reader.channel("den", after: nil, limit: 10, for: access)
                }
                await #expect(throws: ViewRefusal.channelNotFound) {
                    try await world.reader.messages("den", .newest, limit: 10, for: access)
                }
            }
            // A public channel that takes the id shows nothing of what was there before.
            try await world.driver.store(#"{"type":"DESTROY_CHANNEL","channelId":"den"}"#)
            try await world.driver.store(#"{"type":"CREATE_CHANNEL","channelId":"den"}"#)
            try await world.settle()
            for user in ["ann", "bob", nil] {
                #expect(try await world.everything(user).allSatisfy { !$0.contains("secret") })
            }
        }
    }

    /// What each way of asking gives of messages at the positions 4 to 13, of which 8 is deleted.
    private static let places: [(place: MessagePlace, limit: Int, found: [Int64], older: Bool, newer: Bool)] = [
        (.newest, 3, [11, 12, 13], true, false),
        (.newest, 50, [4, 5, 6, 7, 9, 10, 11, 12, 13], false, false),
        (.before(11), 3, [7, 9, 10], true, true),
        (.before(5), 3, [4], false, true),
        (.before(4), 3, [], false, true),
        (.after(4), 3, [5, 6, 7], true, true),
        (.after(11), 3, [12, 13], true, false),
        (.after(13), 3, [], true, false),
        (.around(7), 4, [5, 6, 7, 9], true, true),
        (.around(4), 4, [4, 5, 6, 7], false, true),
        (.around(8), 2, [7, 9], true, true),
    ]

    @Test func messagesArePaged() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            for number in 4...13 { try await world.driver.store(Self.say("m\(number)", "text")) }
            try await world.driver.store(#"{"type":"DELETE_MESSAGE","channelId":"general","messageId":"m8"}"#)
            try await world.settle()
            for row in Self.places {
                let page = try await world.reader.messages(
                    "general", row.place, limit: row.limit, for: world.access())
                let json = try JSONObject(parsing: page.body)
                #expect(json.objects("messages")?.compactMap { $0.int("position") } == row.found, "\(row)")
                #expect(json.bool("older") == row.older, "\(row)")
                #expect(json.bool("newer") == row.newer, "\(row)")
            }
        }
    }

    private static let texts = [
        "The quick brown fox", "jumps over the lazy dog", "quick QUICK quick", "a b c", "naïve Ünïcode",
        "50% \\\"off\\\"",
    ]

    private static let searches: [(query: String, found: [String])] = [
        ("quick", ["m2", "m0"]), ("QUICK fox", ["m0"]), ("\"lazy dog\"", ["m1"]), ("\"dog lazy\"", []),
        ("the", ["m1", "m0"]),
        ("ünïcode", ["m4"]), ("b", ["m3", "m0"]), ("qu", ["m2", "m0"]), ("quick b", ["m0"]), ("50% OR", []),
        ("\"off\"", ["m5"]),
        ("fox*", []), ("text:fox", []), ("NEAR(quick)", []), ("\"unclosed qui", []), ("\"brown fox", ["m0"]),
        ("' --", []),
        ("", []), ("   ", []), ("\"\"", []),
    ]

    @Test func searchFindsWords() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            for (number, text) in Self.texts.enumerated() { try await world.driver.store(Self.say("m\(number)", text)) }
            try await world.settle()
            for row in Self.searches {
                let query = SearchQuery(row.query)
                if query.isEmpty {
                    #expect(row.found.isEmpty)
                    continue
                }
                let found = try await world.search(query)
                #expect(found == row.found, "\(row.query)")
            }
        }
    }

    @Test func searchForgetsWhatWasEditedDeletedOrDestroyed() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.driver.store(#"{"type":"CREATE_CHANNEL","channelId":"den"}"#)
            for number in 0..<3 { try await world.driver.store(Self.say("m\(number)", "word \(number)")) }
            try await world.driver.store(Self.say("d", "word", in: "den"))
            try await world.settle()
            #expect(try await world.search(SearchQuery("word")) == ["d", "m2", "m1", "m0"])
            try await world.driver.store(
                #"{"type":"EDIT_MESSAGE","channelId":"general","messageId":"m1","message":"other"}"#)
            try await world.driver.store(#"{"type":"DELETE_MESSAGE","channelId":"general","messageId":"m2"}"#)
            try await world.driver.store(#"{"type":"DESTROY_CHANNEL","channelId":"den"}"#)
            try await world.settle()
            #expect(try await world.search(SearchQuery("word")) == ["m0"])
            #expect(try await world.search(SearchQuery("other")) == ["m1"])
            #expect(try await world.search(SearchQuery("word"), SearchFilter(from: "bob")) == [])
            await #expect(throws: ViewRefusal.channelNotFound) {
                try await world.search(SearchQuery("word"), SearchFilter(channel: "den"))
            }
        }
    }

    @Test func searchGoesOnWhereItEnded() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            for number in 0..<5 { try await world.driver.store(Self.say("m\(number)", "word")) }
            try await world.settle()
            var (found, before, pages) = ([String](), Int64.max, 0)
            while true {
                let page = try JSONObject(
                    parsing: try await world.reader.search(
                        SearchQuery("word"), SearchFilter(before: before), limit: 2, for: world.access(),
                        clock: { 0 }
                    ).body)
                found += page.objects("hits")?.compactMap { $0.string("messageId") } ?? []
                pages += 1
                guard let more = page.string("more") else { break }
                before = try #require(try await world.driver.log.position(of: more))
            }
            #expect(found == ["m4", "m3", "m2", "m1", "m0"])
            #expect(pages == 3)
        }
    }

    private static let snippets: [(text: String, terms: [String], pieces: [String])] = [
        ("The word is here", ["word"], ["The ", "[word]", " is here"]),
        ("WORD word", ["word"], ["[WORD]", " ", "[word]"]),
        ("nothing", ["absent"], ["nothing"]),
        ("ab abc", ["ab", "abc"], ["[ab]", " ", "[abc]"]),
        (
            String(repeating: "x", count: 100) + " word", ["word"],
            ["…" + String(repeating: "x", count: 39) + " ", "[word]"]
        ),
        (
            "word " + String(repeating: "x", count: 200), ["word"],
            ["[word]", " " + String(repeating: "x", count: 155) + "…"]
        ),
    ]

    @Test(arguments: snippets.indices) func aSnippetShowsTheTerms(row: Int) {
        let (text, terms, pieces) = Self.snippets[row]
        let found = SearchSnippet(of: text, terms: terms).pieces.map { $0.isTerm ? "[\($0.text)]" : $0.text }
        #expect(found == pieces)
    }
}

extension ViewWorld {
    /// What a user sees of all channels.
    func everything(_ user: String?) async throws -> [String] {
        let access = try await access(user)
        return [
            try await reader.channels(for: access).text, try await reader.allMessages(limit: 10, for: access).text,
            try await reader.search(
                SearchQuery("word"), SearchFilter(), limit: 10, for: access, clock: { 0 }
            ).text,
        ]
    }

    func search(_ query: SearchQuery, _ filter: SearchFilter = SearchFilter()) async throws -> [String] {
        let answer = try await reader.search(query, filter, limit: 50, for: access(), clock: { 0 })
        return try JSONObject(parsing: answer.body).objects("hits")?.compactMap { $0.string("messageId") } ?? []
    }
}
