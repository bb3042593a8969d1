/// The sentences of docs/protocol.md that have a number, by that number.
public enum Rule: Int, CaseIterable, Sendable, Comparable {
    case objectPerLine = 1
    case standardError = 2
    case lineFeedOnly = 3
    case quietBeforeStart = 4
    case readyInTime = 5
    case readyValid = 6
    case ownSession = 7
    case shutdown = 8
    case exitStatus = 9
    case restarts = 10
    case startsAgain = 11
    case configuredInTime = 12
    case oldConfiguration = 13
    case waitsForStart = 14
    case handover = 15
    case failedHandover = 16
    case noCommandBeforeStart = 17
    case longWaitForStart = 18
    case lineLimit = 19
    case strayPrint = 20
    case validMessage = 21
    case jsonRules = 22
    case errorAnswer = 23
    case errorRate = 24
    case unknownIgnored = 25
    case strict = 26
    case checkPurpose = 27
    case startAgain = 28
    case settleEach = 29
    case erased = 30
    case caughtUp = 31
    case verdictAnswer = 32
    case result = 33
    case configuredId = 34
    case askNamed = 35
    case answerInTime = 36
    case silence = 37
    case errorUnanswered = 38
    case drain = 39
    case readyOnce = 40
    case queuesNarrow = 41
    case writesNamed = 42
    case settleOnce = 43
    case settleMade = 44
    case stateLimit = 45
    case stateQueue = 46
    case retry = 47
    case reject = 48
    case working = 49
    case queuesChange = 50
    case window = 51
    case causeHeld = 52
    case configuredAnswer = 53
    case answerOnce = 54
    case verdictOnce = 55
    case pong = 56
    case drainedOnce = 57
    case fatal = 58
    case details = 59
    case hostOrder = 60
    case windowLimit = 61
    case keepsReading = 62
    case readsResults = 63
    case ackDeadline = 64
    case deadlineStands = 65
    case redelivery = 66
    case retryWait = 67
    case parking = 68
    case poison = 69
    case memory = 70
    case redrive = 71
    case replay = 72
    case diverged = 73
    case ordered = 74
    case goBackN = 75
    case voidedAgain = 76
    case commandValid = 77
    case joinsFirst = 78
    case ownUsers = 79
    case commandOrder = 80
    case sameCommand = 81
    case uncausedCommand = 82
    case keyConflict = 83
    case firstResult = 84
    case refusalCodes = 85
    case ownEvents = 86
    case commandRate = 87
    case limits = 88
    case cuts = 89
    case readyLimits = 90
    case checkerQueues = 91
    case verdictChanges = 92
    case checkOrder = 93
    case verdictInTime = 94
    case breaker = 95
    case notAsked = 96
    case checksStored = 97
    case notAskedAgain = 98
    case secretsMasked = 99
    case privateChannels = 100
    case privateChecks = 101
    case manifestKeys = 102

    /// As the document has it: `P12`.
    public var number: String { "P\(rawValue)" }

    /// What is asked for, in a few words.
    public var summary: String { Self.entries[rawValue - 1].summary }

    /// Why no run of the kit can verify it; nil where one can.
    public var unverifiable: String? { Self.entries[rawValue - 1].unverifiable }

    /// The rule of a number; nil where there is none.
    public init?(number: String) {
        guard number.hasPrefix("P"), let value = Int(number.dropFirst()) else { return nil }
        self.init(rawValue: value)
    }

    public static func < (a: Rule, b: Rule) -> Bool { a.rawValue < b.rawValue }
}
