import CrowbarCore
import JSONBytes

// What only the plugin itself can tell or do, and the operator asks for.
extension PluginHost {
    /// The last deliveries of a plugin that runs.
    /// - Parameter access: What the caller asks for. Of an event in a private channel nothing is shown of what the
    ///   receiver answered, which may repeat the text, unless the caller reads everything: members too have this
    ///   listing on the screen without asking for that text
    ///   (docs/decisions/0118-dead-letters-of-private-plugins.md).
    public func deliveries(
        of name: String, queue: String?, for access: Access
    ) async throws(ControlRefusal) -> JSON {
        let told = try await ask(name, "deliveries", queue: queue)
        guard let tries = told.array else { return told }
        var shown: [JSON] = []
        do {
            for attempt in tries { shown.append(try await mayShow(attempt, access) ? attempt : Self.covered(attempt)) }
        } catch {
            throw .store("\(error)")
        }
        return .array(shown)
    }

    /// Members of a delivery that may repeat an event's text.
    private static let answers = ["reason", "redirect", "answer"]

    private func mayShow(_ attempt: JSON, _ access: Access) async throws -> Bool {
        guard Self.answers.contains(where: { attempt[$0] != nil }), let id = attempt["eventId"]?.string,
            let position = try await environment.log.position(of: id)
        else { return true }
        let page = try await environment.log.read(positions: [position])
        return page.entries.allSatisfy { $0.audience == 0 || access.reader == .all }
    }

    private static func covered(_ attempt: JSON) -> JSON {
        let members = (attempt.members ?? []).filter { !answers.contains($0.key) }
        return .object(members + [.init("private", .bool(true))])
    }

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
        case .busy, .none:
            // As it is starting or ending, or stuck. That is no reason to ask for a queue again that is not there.
            try await expect(queue, of: name)
            throw .unanswered(name)
        }
    }
}
