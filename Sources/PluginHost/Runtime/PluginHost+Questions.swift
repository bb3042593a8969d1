import JSONBytes

// What only the plugin itself can tell or do, and the operator asks for.
extension PluginHost {
    /// Asks a plugin that runs.
    /// - Parameters:
    ///   - what: A word that the plugin's `ready` names, as `deliveries`.
    ///   - queue: The queue that it is about; nil: all.
    /// - Returns: The plugin's answer, its secrets masked.
    public func ask(_ name: String, _ what: String, queue: String?) async throws(ControlRefusal) -> JSON {
        let runtime = try await known(name)
        let (answers, reply) = AsyncStream.makeStream(of: Question.Answer.self, bufferingPolicy: .bufferingOldest(1))
        let question = Question(what: what, queue: queue) { answer in
            reply.yield(answer)
            reply.finish()
        }
        guard runtime.ask(question) else { throw .notRunning(name) }
        let answer = await withTaskGroup(of: Question.Answer.self) { group in
            group.addTask { await answers.first { _ in true } ?? .none }
            group.addTask {
                try? await Task.sleep(for: Question.patience)
                return .none
            }
            defer { group.cancelAll() }
            return await group.next() ?? .none
        }
        switch answer {
        case .told(let json): return json
        case .refused(let message):
            do {
                try await expect(queue, of: name)
            } catch {
                guard case .noQueue(_, _, let known) = error, !known.isEmpty else { throw error }
                throw .refused(plugin: name, "\(message); it has: \(ControlRefusal.list(known))")
            }
            throw .refused(plugin: name, message)
        case .unknown: throw .unanswerable(plugin: name, what)
        case .busy, .none: throw .unanswered(name)
        }
    }
}
