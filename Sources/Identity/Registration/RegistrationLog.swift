import CrowbarCore

/// Registers users in the log.
public struct RegistrationLog: Sendable {
    private let ingest: Ingest
    private let log: any EventLog

    /// Makes one.
    public init(ingest: Ingest, log: any EventLog) {
        self.ingest = ingest
        self.log = log
    }

    /// Stores the event that registers a user; under one id as often as it is called.
    public func register(_ userId: String, name: String, eventId: String) async -> RegistrationMachine.LogAnswer {
        var request = Ingest.Request(
            Command(.registerUser, .registerUser(name: name), userId: userId), actor: userId, derivedId: eventId)
        // Another command under the id is a conflict. The id may be a client's, who can compute a derived one too.
        request.isKeyed = true
        do throws(CommandError) {
            _ = try await ingest.submit(request)
            return .registered
        } catch {
            switch error.code {
            case .userExists: return .userExists
            case .unavailable, .rateLimited: return .unavailable(error)
            case .eventIdConflict: return await answer(userId, eventId, error)
            default: return .refused(error)
            }
        }
    }

    /// What an id that another command has means: the user may be registered by that event, under another name.
    private func answer(
        _ userId: String, _ eventId: String, _ error: CommandError
    ) async -> RegistrationMachine.LogAnswer {
        do {
            guard let position = try await log.position(of: eventId) else { return .unavailable(error) }
            let page = try await log.read(positions: [position])
            guard let entry = page.entries.first else { return .unavailable(error) }
            let isOurs = entry.type == .userRegistered && page.name(entry.user) == userId
            return isOurs ? .registered : .eventIdTaken
        } catch {
            return .unavailable(CommandError(.unavailable, "the log cannot be read; try again"))
        }
    }
}
