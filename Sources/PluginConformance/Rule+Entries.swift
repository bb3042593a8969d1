extension Rule {
    /// A rule's words.
    struct Entry: Sendable {
        var summary: String
        var unverifiable: String?

        init(_ summary: String, _ unverifiable: String? = nil) {
            self.summary = summary
            self.unverifiable = unverifiable
        }
    }

    private static let host = "about the host; the tests of the host cover it"

    /// By number, the first being `P1`.
    static let entries: [Entry] = [
        Entry("writes one JSON object a line"),  // 1
        Entry("standard error is free text", "whatever stands there is right"),  // 2
        Entry("splits its input at LF only"),  // 3
        Entry("does nothing before 'start'"),  // 4
        Entry("answers 'hello' with 'ready' within 10 s"),  // 5
        Entry("its 'ready' is accepted"),  // 6
        Entry("ends with the host", host),  // 7
        Entry("the steps of a shutdown", host),  // 8
        Entry("exits with status 0 after 'drain', and never of its own accord"),  // 9
        Entry("restarts after crashes", host),  // 10
        Entry("what starts a plugin that is down", host),  // 11
        Entry("answers 'config' within 10 s"),  // 12
        Entry(
            "goes on with the old configuration after it rejected a new one",
            "the kit does not know which configuration is wrong"),  // 13
        Entry("waits after 'ready' until 'start' comes"),  // 14
        Entry("a new process goes on with the state of the old one"),  // 15
        Entry("an old process goes on where the new one does not get ready", host),  // 16
        Entry("sends no command before 'start'"),  // 17
        Entry("waits for 'start' for up to 20 s", "the kit lets it wait for 1 s, which [P14] has"),  // 18
        Entry("reads and writes lines of up to 1 MiB"),  // 19
        Entry("prints nothing but messages to standard output"),  // 20
        Entry("writes valid messages"),  // 21
        Entry("keeps to the rules of JSON"),  // 22
        Entry("the host's 'error'", host),  // 23
        Entry("the rate of 'error' lines", host),  // 24
        Entry("ignores types and fields that it does not know"),  // 25
        Entry("writes no types and fields that the protocol does not have"),  // 26
        Entry("validates its configuration with purpose 'check', and exits"),  // 27
        Entry("takes a second 'start' for other queues", "needs many queues, or queues that change"),  // 28
        Entry("settles each event"),  // 29
        Entry("shows nothing of an erased event", "what a plugin shows is not on its pipes"),  // 30
        Entry("when 'caughtUp' comes", host),  // 31
        Entry("answers each 'check'"),  // 32
        Entry("when 'result' comes", host),  // 33
        Entry("answers 'config' with its id"),  // 34
        Entry("which questions are asked", host),  // 35
        Entry("answers each 'ask' within 60 s"),  // 36
        Entry("writes something at least every 30 s"),  // 37
        Entry("goes on after an 'error'"),  // 38
        Entry("answers 'drain' with 'drained' and exits"),  // 39
        Entry("sends 'ready' once"),  // 40
        Entry("its queues ask for no more than the manifest allows"),  // 41
        Entry("channels that 'writes' names", host),  // 42
        Entry("settles each delivery once"),  // 43
        Entry("settles only deliveries that were made"),  // 44
        Entry("its states have 64 KiB at most"),  // 45
        Entry("its 'state' names a queue that it has"),  // 46
        Entry("its 'retry' names a held delivery"),  // 47
        Entry("its 'reject' names a held delivery"),  // 48
        Entry("its 'working' names a held delivery"),  // 49
        Entry("what a change of the queues leads to", host),  // 50
        Entry("its 'window' names a queue that it has"),  // 51
        Entry("its commands name held deliveries as their cause"),  // 52
        Entry("sends 'configured' as an answer only"),  // 53
        Entry("answers each 'ask' once"),  // 54
        Entry("answers each 'check' once"),  // 55
        Entry("answers each 'ping' with its number"),  // 56
        Entry("sends 'drained' as an answer only, and nothing behind it"),  // 57
        Entry("sends at most 100 'fatal' lines"),  // 58
        Entry("its 'details' have 100 members at most"),  // 59
        Entry("which events are out at a time", host),  // 60
        Entry("how many events are out at a time", host),  // 61
        Entry("keeps reading while it works and while it is not read from"),  // 62
        Entry(
            "reads results while it emits many commands",
            "the kit cannot make a plugin emit thousands of commands"),  // 63
        Entry("settles something within 'ack_deadline'"),  // 64
        Entry("when the deadline stands still", host),  // 65
        Entry("settles what comes again after a crash"),  // 66
        Entry("when a retry comes", host),  // 67
        Entry("parked channels", host),  // 68
        Entry("events that crash plugins", host),  // 69
        Entry("its memory does not grow with the events that it has settled"),  // 70
        Entry("dead letters that are delivered again", host),  // 71
        Entry("commands of a replay are refused", host),  // 72
        Entry("another log", host),  // 73
        Entry("acts on the events of a channel in their order"),  // 74
        Entry("acts on no later delivery of a channel after 'retry' until 'voided'"),  // 75
        Entry("when voided events come again", host),  // 76
        Entry("its commands are valid"),  // 77
        Entry("registers a user and joins a channel before it speaks"),  // 78
        Entry("acts for its own users only, and emits what its manifest lists"),  // 79
        Entry("in which order commands are decided", host),  // 80
        Entry("the same command again after a crash is not stored twice"),  // 81
        Entry("a command with neither key nor cause is new each time", host),  // 82
        Entry("uses a key for one command only"),  // 83
        Entry("the first result of a cause stands", host),  // 84
        Entry("the codes of refusals", host),  // 85
        Entry("which events of its own it gets", host),  // 86
        Entry("the rate of commands", host),  // 87
        Entry("keeps within the limits"),  // 88
        Entry("what the host cuts", host),  // 89
        Entry("its queues keep within the limits"),  // 90
        Entry("has no queues in the command phase"),  // 91
        Entry("changes only what a verdict may change"),  // 92
        Entry("in which order plugins are asked", host),  // 93
        Entry("answers each 'check' in time"),  // 94
        Entry("when a plugin is not asked", host),  // 95
        Entry("a stopped plugin is not asked", host),  // 96
        Entry("what the stored event says of checks", host),  // 97
        Entry("what is not asked again", host),  // 98
        Entry("where secrets are masked", host),  // 99
        Entry("events of private channels", host),  // 100
        Entry("checks in private channels", host),  // 101
        Entry("its manifest has no unknown keys"),  // 102
    ]
}
