import CrowbarCore
import JSONBytes

extension EventLogConformance {
    /// Appends `count` messages, 10 ms apart, to a settled log whose clock is at 1000.
    private static func fill(_ driver: LogDriver, _ count: Int) async throws -> [Receipt] {
        driver.clock.milliseconds = 1000
        try await driver.settle()
        var receipts: [Receipt] = []
        for i in 1...count {
            driver.clock.milliseconds = 1000 + Int64(i) * 10
            receipts.append(
                try await driver.store(
                    #"{"type":"SEND_MESSAGE","channelId":"general","message":"\#(i)","eventId":"m\#(i)"}"#))
        }
        return receipts
    }

    private static func pageCount(_ driver: LogDriver, _ maxBytes: Int) async throws -> Int {
        try await driver.log.read(after: 3, limit: 100, maxBytes: maxBytes).entries.count
    }

    static let reading: [EventLogConformance] = [
        EventLogConformance("an empty log answers every question") { driver in
            let log = driver.log
            try expect(try await log.head() == nil, "head")
            try expectEqual(try await log.read(after: 0, limit: 10, maxBytes: 1000).entries.count, 0)
            try expectEqual(try await log.read(positions: [1]).entries.count, 0)
            try expect(try await log.position(of: "x") == nil, "position")
            try expect(try await log.entry(atOrBefore: 5) == nil, "entry")
            try expect(try await log.lastEntry(before: .max) == nil, "lastEntry")
            try expectEqual(try await log.count(after: 0, through: .max), 0)
            try expectEqual(log.secret.count, 32)
        },
        EventLogConformance("what is in memory is what would be read, and nothing at the head") { driver in
            try await driver.settle()
            func told(_ page: LogPage) -> [String] {
                page.entries.map { entry in
                    let names = [entry.channel, entry.user, entry.origin].map { page.name($0) ?? "-" }
                    let json = String(decoding: page.json(entry), as: UTF8.self)
                    return "\(entry.position) \(entry.timestamp) \(entry.type) \(entry.depth) \(names) \(json)"
                }
            }
            for round in 0..<3 {
                let batch = try (0...round).map {
                    try driver.submission(
                        #"{"type":"SEND_MESSAGE","channelId":"general","message":"\#($0)"}"#,
                        derivedId: "\(round)/\($0)",
                        origin: $0 == 1 ? Submission.Origin(plugin: "irc", ref: "x") : nil, depth: 1)
                }
                let refused = try driver.submission(#"{"type":"JOIN_CHANNEL","channelId":"nowhere"}"#)
                _ = try await driver.log.append(batch + [refused])
                let head = try await driver.log.head()?.position ?? 0
                for position in 0...head {
                    guard let recent = driver.log.recent(after: position) else { continue }
                    let read = try await driver.log.read(after: position, limit: 100, maxBytes: 1 << 20)
                    try expectEqual(told(recent), told(read))
                }
                try expectEqual(driver.log.recent(after: head)?.entries.count, 0, "at the head")
                // A refusal leaves it as it is.
                _ = try await driver.log.append([refused])
                try expectEqual(driver.log.recent(after: head)?.entries.count, 0, "after a refusal")
            }
        },
        EventLogConformance("pages end by their limit and go on without a gap") { driver in
            _ = try await fill(driver, 25)
            var after: Int64 = 0
            var seen: [Int64] = []
            var sizes: [Int] = []
            while true {
                let page = try await driver.log.read(after: after, limit: 10, maxBytes: 1 << 20)
                guard let last = page.entries.last else { break }
                seen += page.entries.map(\.position)
                sizes.append(page.entries.count)
                after = last.position
            }
            try expectEqual(sizes, [10, 10, 8])
            try expectEqual(seen, seen.sorted())
            try expectEqual(Set(seen).count, 28)
        },
        EventLogConformance("pages end by their bytes, with one entry at least") { driver in
            _ = try await fill(driver, 5)
            let all = try await driver.log.read(after: 3, limit: 100, maxBytes: 1 << 20)
            let two = Int(all.entries[0].length + all.entries[1].length)
            try expectEqual(try await pageCount(driver, two), 2, "exactly two")
            try expectEqual(try await pageCount(driver, two - 1), 1, "one byte less")
            try expectEqual(try await pageCount(driver, 1), 1, "less than one")
        },
        EventLogConformance("a page knows channel, user, type, origin and depth without the JSON") { driver in
            try await driver.settle()
            let submission = try driver.submission(
                #"{"type":"SEND_MESSAGE","channelId":"general","message":"hi"}"#, derivedId: "d",
                origin: Submission.Origin(plugin: "irc", ref: "libera/#x"), depth: 3)
            _ = try await driver.log.append([submission])
            let page = try await driver.log.read(after: 0, limit: 10, maxBytes: 1 << 20)
            try expectEqual(
                page.entries.map(\.type), [.userRegistered, .userRegistered, .channelCreated, .messageSent])
            try expectEqual(page.entries.map { page.name($0.user) }, ["ann", "bob", "ann", "ann"])
            try expectEqual(page.entries.map { page.name($0.channel) }, [nil, nil, "general", "general"])
            try expectEqual(page.entries.map { page.name($0.origin) }, [nil, nil, nil, "irc"])
            try expectEqual(page.entries.map(\.depth), [0, 0, 0, 3])
            try expectEqual(page.names.count, Set(page.names).count)
            let json = String(decoding: page.json(page.entries[3]), as: UTF8.self)
            try expect(json.contains(#""origin":{"plugin":"irc","ref":"libera/#x"}"#), json)
        },
        EventLogConformance("read(positions:) keeps the order asked for and leaves out what is not there") { driver in
            let receipts = try await fill(driver, 5)
            let wanted = [receipts[3].position, 9999, receipts[0].position, 0, -4]
            let page = try await driver.log.read(positions: wanted)
            try expectEqual(page.entries.map(\.position), [receipts[3].position, receipts[0].position])
        },
        EventLogConformance("a lane's page holds a channel, or a user's events without a channel") { driver in
            let receipts = try await fill(driver, 5)
            let log = driver.log
            func read(_ lane: LogLane, after: Int64, through: Int64 = .max, limit: Int = 100) async throws -> [Int64] {
                let page = try await log.read(
                    lane: lane, after: after, through: through, limit: limit, maxBytes: 1 << 20)
                return page.entries.map(\.position)
            }
            try expectEqual(try await read(.channel("general"), after: 0), [3] + receipts.map(\.position))
            try expectEqual(try await read(.channel("general"), after: 3, through: 5), [4, 5])
            try expectEqual(try await read(.channel("general"), after: 4, limit: 2), [5, 6])
            try expectEqual(try await read(.channel("other"), after: 0), [])
            try expectEqual(try await read(.user("ann"), after: 0), [1])
            try expectEqual(try await read(.user("bob"), after: 0), [2])
            try expectEqual(try await read(.user("bob"), after: 2), [])
        },
        EventLogConformance("readUserEvents has the events without a channel") { driver in
            _ = try await fill(driver, 5)
            try await driver.store(#"{"type":"RENAME_USER","name":"Bobby"}"#, as: "bob")
            let log = driver.log
            func read(after: Int64, through: Int64 = .max, limit: Int = 100, maxBytes: Int = 1 << 20)
                async throws -> [Int64]
            {
                let page = try await log.readUserEvents(
                    after: after, through: through, limit: limit, maxBytes: maxBytes)
                return page.entries.map(\.position)
            }
            try expectEqual(try await read(after: 0), [1, 2, 9])
            try expectEqual(try await read(after: 1, through: 8), [2])
            try expectEqual(try await read(after: 0, limit: 2), [1, 2])
            try expectEqual(try await read(after: 0, maxBytes: 1), [1])
            try expectEqual(try await read(after: 9), [])
        },
        EventLogConformance("position(of:), entry(atOrBefore:), head and count agree") { driver in
            let receipts = try await fill(driver, 5)
            let log = driver.log
            for receipt in receipts {
                try expectEqual(try await log.position(of: receipt.eventId), receipt.position)
                let id = LogEntryID(position: receipt.position, eventId: receipt.eventId)
                try expectEqual(try await log.entry(atOrBefore: receipt.position), id)
            }
            try expectEqual(try await log.entry(atOrBefore: .max), try await log.head())
            try expectEqual(try await log.head()?.eventId, "m5")
            try expect(try await log.entry(atOrBefore: 0) == nil, "an entry before the first")
            try expectEqual(try await log.count(after: 0, through: .max), 8)
            try expectEqual(try await log.count(after: receipts[0].position, through: receipts[3].position), 3)
            try expectEqual(try await log.count(after: receipts[3].position, through: receipts[0].position), 0)
        },
        EventLogConformance("tally(after:through:) counts what the pages have") { driver in
            let receipts = try await fill(driver, 5)
            let log = driver.log
            let ranges: [(Int64, Int64)] = [
                (0, .max), (0, receipts[2].position), (receipts[1].position, .max), (receipts[3].position, 0),
            ]
            for (after, through) in ranges {
                let page = try await log.read(after: after, limit: 100, maxBytes: 1 << 20)
                var expected: [String: Int64] = [:]
                for entry in page.entries where entry.position <= through {
                    let kind = "\(entry.type) \(page.name(entry.channel) ?? "-") \(page.name(entry.origin) ?? "-")"
                    expected[kind, default: 0] += 1
                }
                let tallies = try await log.tally(after: after, through: through)
                let counted = tallies.map { ("\($0.type) \($0.channel ?? "-") \($0.origin ?? "-")", $0.count) }
                try expectEqual(Dictionary(counted) { $0 + $1 }, expected)
                try expectEqual(tallies.count, expected.count)
            }
        },
        EventLogConformance("lastEntry(before:) finds the edge between times") { driver in
            let receipts = try await fill(driver, 9)
            let log = driver.log
            try expect(try await log.lastEntry(before: 1000) == nil, "before the first")
            try expectEqual(try await log.lastEntry(before: 1001)?.position, 3)
            for receipt in receipts {
                try expectEqual(try await log.lastEntry(before: receipt.timestamp)?.position, receipt.position - 1)
                try expectEqual(try await log.lastEntry(before: receipt.timestamp + 1)?.position, receipt.position)
            }
            try expectEqual(try await log.lastEntry(before: .max)?.eventId, "m9")
        },
    ]

    static let bytes: [EventLogConformance] = [
        EventLogConformance("meta is carried byte for byte") { driver in
            try await driver.settle()
            let meta = #"{ "b" :1.50e+2,"a":[ null,{}],"\u0041":"\/é" }"#
            let receipt = try await driver.store(
                #"{"type":"SEND_MESSAGE","channelId":"general","message":"x","meta":\#(meta)}"#)
            let event = try await driver.event(receipt.position)
            try expect(event.hasSuffix(#","meta":\#(meta)}"#), event)
        },
        EventLogConformance("an event is one line whatever the text, and the text comes back") { driver in
            try await driver.settle()
            let text = "a\u{2028}b\u{2029}c\u{85}d\u{1}e\nf\r\"\\ 😀 \u{1F468}\u{200D}\u{1F469}"
            var quoted: [UInt8] = []
            JSONString.append(text, to: &quoted)
            let message = String(decoding: quoted, as: UTF8.self)
            let receipt = try await driver.store(
                "{\"type\":\"SEND_MESSAGE\",\"channelId\":\"general\",\"message\":\(message),"
                    + "\"meta\":{\n\"k\":\r\n\"\u{2028}\u{85}\"}}")
            let event = try await driver.event(receipt.position)
            let breaks: Set<Unicode.Scalar> = ["\n", "\r", "\u{85}", "\u{2028}", "\u{2029}", "\u{1}"]
            try expect(!event.unicodeScalars.contains { breaks.contains($0) }, "more than one line: \(event)")
            let object = try JSONObject(parsing: Array(event.utf8))
            try expectEqual(object.string("message"), text)
            try expectEqual(object.object("meta")?.string("k"), "\u{2028}\u{85}")
            // What an edit keeps of it goes through the log once more.
            let edited = try await driver.store(
                #"{"type":"EDIT_MESSAGE","channelId":"general","messageId":"\#(receipt.eventId)","message":"z"}"#)
            let previous = try JSONObject(parsing: Array(try await driver.event(edited.position).utf8))
            try expectEqual(previous.string("previous"), text)
        },
        EventLogConformance("the members of an event stand in their order") { driver in
            try await driver.settle()
            let receipt = try await driver.store(
                #"{"kind":"action","message":"waves","channelId":"general","type":"SEND_MESSAGE","eventId":"e"}"#)
            try expectEqual(
                try await driver.event(receipt.position),
                #"{"eventId":"e","timestamp":\#(receipt.timestamp),"type":"MESSAGE_SENT","userId":"ann","#
                    + #""userName":"Ann","channelId":"general","messageId":"e","message":"waves","kind":"action"}"#)
        },
    ]
}
