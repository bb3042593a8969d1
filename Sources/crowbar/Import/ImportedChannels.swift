import CrowbarCore
import Glibc

/// Makes the channels of an import: in the running server, or in the data folder where none runs. A channel that is
/// there already stays as it is.
struct ImportedChannels {
    let configuration: Configuration

    /// - Returns: Those that were made, and those that were there.
    /// - Throws: ``Refusal``.
    func create(_ names: [String]) async throws -> (made: [String], present: [String]) {
        if names.isEmpty { return ([], []) }
        let client = ControlClient(folder: configuration.data)
        let login = Caller.login()
        if await client.isServerRunning() {
            let caller = Caller(client: client)
            return try await create(names) { type, channel in
                let fields: Caller.Fields = channel.map { ["channelId": $0] } ?? ["name": login.name]
                if case .refused(let code, let message, _) = try await caller.send(type, as: login.id, fields) {
                    return (code, message)
                }
                return nil
            }
        }
        return try await createOffline(names, login)
    }

    /// What a command was refused for; nil where it was not.
    private typealias Answer = (code: String, message: String)?

    private func createOffline(
        _ names: [String], _ login: (id: String, name: String)
    ) async throws -> (made: [String], present: [String]) {
        try DataLocation.check(configuration.data)
        if access(configuration.data, F_OK) != 0 {
            StandardStream.error.write(
                line: "note: the data folder '\(TerminalText.line(configuration.data))' was not there, and is made")
        }
        // The stores are for the owner's eyes; the files of the import that are no secrets are not.
        let mask = umask(0o077)
        defer { umask(mask) }
        let stores = try Stores(configuration, for: .serving)
        var result: (made: [String], present: [String]) = ([], [])
        try await stores.withIngest { ingest in
            result = try await create(names) { type, channel in
                let command =
                    channel.map {
                        Command(type, .createChannel(name: nil, description: nil), userId: login.id, channelId: $0)
                    } ?? Command(type, .registerUser(name: login.name), userId: login.id)
                do throws(CommandError) {
                    _ = try await ingest.submit(Ingest.Request(command, actor: login.id))
                    return nil
                } catch {
                    return (error.code.rawValue, error.message)
                }
            }
        }
        return result
    }

    /// - Parameter send: Sends CREATE_CHANNEL, or REGISTER_USER without a channel.
    private func create(
        _ names: [String], send: (CommandType, _ channel: String?) async throws -> Answer
    ) async throws -> (made: [String], present: [String]) {
        var result: (made: [String], present: [String]) = ([], [])
        for name in names {
            var answer = try await send(.createChannel, name)
            if answer?.code == CommandError.Code.userNotFound.rawValue {
                if let refusal = try await send(.registerUser, nil), refusal.code != "user_exists" {
                    throw Refusal(refusal.message)
                }
                answer = try await send(.createChannel, name)
            }
            switch answer?.code {
            case nil: result.made.append(name)
            case CommandError.Code.channelExists.rawValue: result.present.append(name)
            default: throw Refusal("the channel '\(name)' could not be made: \(answer?.message ?? "")")
            }
        }
        return result
    }
}
