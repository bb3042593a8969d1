import CrowbarCore
import Synchronization

/// The inputs of a session in the order in which they happened. Any thread posts; one task takes.
///
/// What can come in bulk is limited at its source: one piece of output, one page, one batch of results and one save are
/// under way at a time, and wake-ups collapse.
final class Mailbox: Sendable {
    /// Something that happened.
    enum Input: Sendable {
        /// The plugin wrote; the reader waits until this was handled.
        case output([UInt8])
        /// The plugin closed its output, or ended.
        case outputEnded
        /// The launcher has ended; the plugin's pipes may be open still.
        case launcherEnded
        /// The plugin takes no more input.
        case inputBroken
        /// There is room for more lines.
        case room
        /// The log may have grown.
        case logGrew
        /// A time that was asked for has come.
        case alarm
        /// A page was read for a queue.
        case page(LogPage, after: Int64)
        /// Events were read again for a queue.
        case fetched(LogPage, queue: Int)
        /// A part of a parked lane was read for a queue.
        case lane(LogPage, key: String, through: Int64, queue: Int)
        /// The log could not be read.
        case readFailed(String)
        /// Commands were decided.
        case decided([CommandSubmitter.Outcome])
        /// A save ended.
        case saved(CursorStore.Outcome)
        /// Dead letters are to be delivered once more, by queue.
        case redrive([String: [Int64]])
        /// The operator or the host wants the end.
        case drain(why: String)
        /// It uses more than it may, and is killed; why.
        case exceeded(String)
        /// A process that was held may begin; with what was open before it, by queue.
        case release(earlier: [String: [Int64: DeliveryQueue.Attempts]], suspects: PoisonWatch.Events)
        /// The plugin's configuration changed.
        case configure(Secrets)
        /// A message of the plugin's was nonsense, for this reason.
        case offence(_ message: String, _ reason: String)
        /// The operator holds deliveries back, or lets them go.
        case pause(Bool)
        /// The operator holds the deliveries of these queues back, and of no others.
        case pauseQueues(Set<String>)
        /// The operator wants what waits for another try in a queue tried at once.
        case hasten(queue: String)
        /// The operator asks something of the plugin.
        case ask(Question)
        /// A trial writes a line to the plugin, without its LF.
        case write([UInt8])
        /// A trial stops reading the plugin's output, or reads on.
        case stopReading(Bool)
        /// A trial kills the plugin.
        case kill
    }

    private struct State {
        var inputs: [Input] = []
        var grew = false
        var rang = false
        /// Not a checked one, for each line of a plugin resumes one: the code that takes it from
        /// here, under the lock, is the only one to resume it.
        var waiting: UnsafeContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    init() {}

    func post(_ input: Input) {
        let waiting = state.withLock { state -> UnsafeContinuation<Void, Never>? in
            switch input {
            case .logGrew where state.grew, .alarm where state.rang: return nil
            case .logGrew: state.grew = true
            case .alarm: state.rang = true
            default: break
            }
            state.inputs.append(input)
            let waiting = state.waiting
            state.waiting = nil
            return waiting
        }
        waiting?.resume()
    }

    /// All that has happened since the last call; waits until there is something.
    func take() async -> [Input] {
        while true {
            let inputs = state.withLock { state in
                let inputs = state.inputs
                state.inputs = []
                state.grew = false
                state.rang = false
                return inputs
            }
            if !inputs.isEmpty { return inputs }
            await withUnsafeContinuation { continuation in
                let now = state.withLock { state in
                    if !state.inputs.isEmpty { return true }
                    state.waiting = continuation
                    return false
                }
                if now { continuation.resume() }
            }
        }
    }
}
