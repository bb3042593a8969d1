import CrowbarCore
import JSONBytes

/// The way of one command through the plugins that are asked about it, one after the other: a pure value.
struct CheckChain {
    enum Limit {
        /// What one plugin may take, in milliseconds.
        static let each: Int64 = 150
        /// What all together may take, in milliseconds.
        static let all: Int64 = 400
        /// Bytes of a plugin's reason for a refusal.
        static let reason = 1024
    }

    /// A plugin that is to be asked.
    struct Member: Equatable {
        var plugin: String
        /// What holds where it does not say.
        var onFailure: Manifest.OnFailure
    }

    /// What came of a question.
    enum Answer: Equatable {
        case allow([UInt8]?)
        case deny(code: String, message: String)
        case failed(Failure)
    }

    /// Why there is no answer; stands in `checks` under this name.
    enum Failure: String {
        case timeout, crash, nonsense
        /// Too many questions to it are open.
        case busy
        /// It failed too often of late.
        case breaker
        /// It does not run.
        case absent
        /// The others took all the time there is.
        case budget
    }

    /// What an answer comes to.
    enum Outcome: Equatable {
        case allowed, changed, refused
        /// None, or nonsense.
        case failed
    }

    /// What is to be done.
    enum Step: Equatable {
        case ask(plugin: String, shown: [UInt8], within: Int64)
        case pass(Command, record: [UInt8])
        case refuse(CommandError)
    }

    private enum Verdict {
        case allowed
        case changed([String])
        case skipped(Failure)
    }

    private var submission: Submission
    private let members: [Member]
    private let until: Int64
    private var index = 0
    private var verdicts: [Verdict] = []
    private var refusal: CommandError?
    private var shown: [UInt8]
    /// What was wrong with the last answer, for the operator.
    private(set) var complaint: String?

    /// Begins a way.
    /// - Parameters:
    ///   - submission: What is asked about.
    ///   - members: Who is asked, in that order.
    ///   - now: Milliseconds on the monotonic clock.
    init(_ submission: Submission, members: [Member], now: Int64) {
        self.submission = submission
        self.members = members
        until = now + Limit.all
        shown = CommandEncoder.bytes(submission)
    }

    /// What is to be done now.
    mutating func next(now: Int64) -> Step {
        while refusal == nil, index < members.count {
            let left = until - now
            if left > 0 {
                return .ask(plugin: members[index].plugin, shown: shown, within: min(Limit.each, left))
            }
            fail(.budget)
        }
        if let refusal { return .refuse(refusal) }
        return .pass(submission.command, record: record)
    }

    /// Takes the answer to the last `ask`, and says what it comes to.
    mutating func take(_ answer: Answer) -> Outcome {
        complaint = nil
        guard refusal == nil, index < members.count else { return .failed }
        switch answer {
        case .allow(nil):
            settle(.allowed)
            return .allowed
        case .allow(let wanted?):
            do throws(CommandChangeError) {
                let (command, fields) = try submission.command.changed(to: wanted, from: shown)
                submission.command = command
                if fields.isEmpty {
                    settle(.allowed)
                    return .allowed
                }
                shown = CommandEncoder.bytes(submission)
                settle(.changed(fields))
                return .changed
            } catch {
                complaint = error.description
                fail(.nonsense)
                return .failed
            }
        case .deny(let code, let message):
            let reason = message.isEmpty ? "it gave no reason" : String(message.prefix(Limit.reason))
            refusal = CommandError(
                .refused, "refused by the plugin '\(members[index].plugin)': \(reason) (\(code.prefix(64)))")
            return .refused
        case .failed(let failure):
            fail(failure)
            return .failed
        }
    }

    private mutating func settle(_ verdict: Verdict) {
        verdicts.append(verdict)
        index += 1
    }

    private mutating func fail(_ failure: Failure) {
        switch members[index].onFailure {
        case .allow: settle(.skipped(failure))
        case .refuse:
            refusal = CommandError(
                .refused,
                "the plugin '\(members[index].plugin)' has to approve this and cannot now (\(failure.rawValue)); "
                    + "try again later")
        }
    }

    /// `[{"plugin", "verdict": "allowed" | "changed" | "skipped", "fields"?, "reason"?}]`, one for each that was asked.
    private var record: [UInt8] {
        var json = JSONWriter(capacity: 64 * members.count)
        json.beginArray()
        for (member, verdict) in zip(members, verdicts) {
            json.beginObject()
            json.member("plugin", member.plugin)
            switch verdict {
            case .allowed: json.member("verdict", "allowed")
            case .changed(let fields):
                json.member("verdict", "changed")
                json.key("fields")
                json.beginArray()
                for field in fields { json.string(field) }
                json.endArray()
            case .skipped(let failure):
                json.member("verdict", "skipped")
                json.member("reason", failure.rawValue)
            }
            json.endObject()
        }
        json.endArray()
        return json.bytes
    }
}
