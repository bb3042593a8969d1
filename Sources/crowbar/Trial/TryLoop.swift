import CrowbarCore
import Glibc
import PluginConformance
import PluginHost
import Synchronization

/// `crowbar plugins try`: one plugin, a chat of one's own, and both sides of the protocol on the terminal.
struct TryLoop: Sendable {
    /// What the loop waits for.
    enum Input: Sendable {
        case typed(TypedLine)
        case endOfInput
        case ready
        case ended(PluginTrial.Report)
        /// Time has passed.
        case tick
    }

    /// What the loop knows. One task owns it.
    private struct State {
        var trial: PluginTrial
        var conversation: TryConversation
        var isRunning = true
        var isReady = false
        /// Start another process when this one has ended.
        var restarts = false
        /// End when the process has ended.
        var isQuitting = false
        /// The input is over; when all is settled, or at this time, the plugin is asked to end.
        var endsAt: Int64?
        /// What was typed before the plugin was ready.
        var waiting: [TypedLine] = []
        var files: SavedFiles
        var channel: String
        var user = "ann"
        /// The last message, by channel.
        var messages: [String: String] = [:]
    }

    /// Milliseconds between two looks at files and at what is overdue.
    static let interval: Int64 = 200
    /// How long what was typed may take after the end of the input, in milliseconds.
    static let lastWork: Int64 = 20_000
    /// Lines that are typed ahead, at most.
    static let typedAhead = 1_000

    let place: TrialPlace
    let name: String
    let configuration: Configuration
    let printer: TryPrinter

    /// Runs until the input ends, or `/quit`.
    /// - Returns: Whether nothing was found to be wrong.
    func run(_ manifest: Manifest) async -> Bool {
        let (inputs, post) = AsyncStream.makeStream(of: Input.self)
        TypedInput.read(limit: Self.typedAhead) { post.yield($0.map { .typed(TypedLine($0)) } ?? .endOfInput) }
        await withTaskGroup(of: Void.self) { group in
            let environment = place.environment
            group.addTask { await environment.ingest.run() }
            group.addTask {
                while (try? await Task.sleep(for: .milliseconds(Self.interval))) != nil { post.yield(.tick) }
            }
            let world = TryWorld(environment: environment)
            let channel = TryWorld.firstChannel(manifest)
            await world.enter(channel, as: "ann")
            let (trial, conversation) = make(manifest)
            start(trial, conversation, post, &group)
            var state = State(
                trial: trial, conversation: conversation, files: SavedFiles(manifest, environment), channel: channel)
            printer.note("you are 'ann' in '\(channel)'; type a message, or /help")
            for await input in inputs {
                await handle(input, &state, world)
                if !state.isRunning {
                    if state.isQuitting { break }
                    if state.restarts { restart(&state, post, &group) }
                }
            }
            group.cancelAll()
        }
        return printer.isClean
    }

    private func make(_ manifest: Manifest) -> (PluginTrial, TryConversation) {
        var manifest = manifest
        manifest.isStrict = true
        manifest.isEnabled = true
        let trial = PluginTrial(manifest: manifest, environment: place.environment)
        return (trial, TryConversation(trial, printer))
    }

    private func start(
        _ trial: PluginTrial, _ conversation: TryConversation, _ post: AsyncStream<Input>.Continuation,
        _ group: inout TaskGroup<Void>
    ) {
        group.addTask {
            let traces = trial.environment.traces
            let follower = traces.follow(trial.manifest.name) { conversation.take($0, $1) }
            let report = await trial.run(.live, onReady: { post.yield(.ready) })
            traces.stop(follower, of: trial.manifest.name)
            conversation.end(report)
            post.yield(.ended(report))
        }
    }

    /// Starts the plugin again, with the manifest as it is now.
    private func restart(
        _ state: inout State, _ post: AsyncStream<Input>.Continuation, _ group: inout TaskGroup<Void>
    ) {
        state.restarts = false
        do {
            let manifest = try TrialPlace.manifest(name, configuration)
            state.files = SavedFiles(manifest, place.environment)
            (state.trial, state.conversation) = make(manifest)
        } catch {
            return printer.note("\(error)")
        }
        state.isRunning = true
        state.isReady = false
        start(state.trial, state.conversation, post, &group)
    }

    private func handle(_ input: Input, _ state: inout State, _ world: TryWorld) async {
        switch input {
        case .typed(let line) where state.isReady || !state.isRunning || line == .quit || line == .restart:
            await act(line, &state, world)
        case .typed(let line): state.waiting.append(line)
        case .ready:
            state.isReady = true
            let waiting = state.waiting
            state.waiting = []
            for line in waiting { await act(line, &state, world) }
        case .endOfInput: state.endsAt = place.environment.now() + Self.lastWork
        case .ended(let report):
            state.isRunning = false
            state.isReady = false
            printer.note("the plugin has ended: \(report.reason)")
            if state.endsAt != nil { state.isQuitting = true }
            if !state.restarts, !state.isQuitting {
                printer.note("save one of its files, or press Enter, to start it again")
            }
        case .tick: await look(&state, world)
        }
    }

    /// Prints what is overdue and what was logged, and sees whether a file was saved.
    private func look(_ state: inout State, _ world: TryWorld) async {
        state.conversation.look()
        if let file = state.files.changed() {
            printer.note("'\(file)' was saved; the plugin starts again")
            end(&state, why: "a file was saved", restarts: true)
        }
        guard let time = state.endsAt, state.isRunning, !state.isQuitting else { return }
        var isDone = state.isReady && state.waiting.isEmpty
        if isDone { isDone = await world.isSettled(state.trial, state.conversation) }
        if isDone || place.environment.now() > time { end(&state, why: "the input has ended", restarts: false) }
    }

    private func end(_ state: inout State, why: String, restarts: Bool) {
        state.restarts = restarts
        state.isQuitting = !restarts
        if state.isRunning { state.trial.drain(why: why) }
    }

    private func act(_ line: TypedLine, _ state: inout State, _ world: TryWorld) async {
        let (user, channel) = (state.user, state.channel)
        var refusal: String?
        switch line {
        case .message(let text):
            switch await world.say(text, in: channel, as: user) {
            case .success(let id): state.messages[channel] = id
            case .failure(let error): refusal = error.description
            }
        case .join(let channel):
            refusal = await world.enter(channel, as: user)
            if refusal == nil { state.channel = channel }
        case .user(let name):
            refusal = await world.enter(channel, as: name)
            if refusal == nil { state.user = name }
        case .leave, .edit, .delete, .topic:
            refusal = await world.submit(line, message: state.messages[channel], in: channel, as: user)
        case .raw(let json): state.trial.write(Array(json.utf8))
        case .config: do throws(TrialRefusal) { try state.trial.configure() } catch { refusal = error.reason }
        case .ask(let word): state.trial.ask(word)
        case .kill:
            state.restarts = true
            state.conversation.noteKill()
            state.trial.kill()
        case .restart: end(&state, why: "the plugin starts again", restarts: true)
        case .empty: if !state.isRunning { state.restarts = true }
        case .help: for line in TypedLine.commands { printer.note(line) }
        case .quit: end(&state, why: "the trial is over", restarts: false)
        case .wrong(let reason): refusal = reason
        }
        if let refusal { printer.note(refusal) }
    }
}
