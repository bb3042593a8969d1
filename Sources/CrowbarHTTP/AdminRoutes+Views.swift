import CrowbarCore
import CrowbarViews
import HTTPTypes
import HummingbirdCore
import JSONBytes

// Views for the operator: `crowbar views`.
extension AdminRoutes {
    func respond(
        _ request: Request, _ path: Substring, _ parts: [Substring], _ query: Query, _ views: Views
    ) async throws -> Response {
        do {
            guard parts.count > 1 else {
                try APIResponder.expect(.get, request, path)
                try query.refuseUnknown(knowing: ["sizes"])
                guard let hasSizes = ["true": true, "false": false][query["sizes"] ?? "true"] else {
                    throw APIFailure(.invalidCommand, "'sizes' is true or false", field: "sizes")
                }
                let summaries = try await views.summaries(withSizes: hasSizes)
                return .json(Self.json(summaries, views.publishing.statuses))
            }
            guard parts.last == "rebuild" else { throw APIResponder.unknown(path) }
            try APIResponder.expect(.post, request, path)
            try query.refuseUnknown(knowing: [])
            // `views/NAME/rebuild` names the view in its path, `views/rebuild` in its body.
            let name = parts.count == 3 ? try Query.decode(parts[1]) : nil
            let body = try await optionalFields(request, known: name == nil ? ["name", "channel"] : ["channel"])
            let names = try name.map { name throws(APIFailure) in try Self.names(name) } ?? Self.names(body)
            guard body.span("channel") != nil else {
                try await views.rebuild(names)
                return .json(Array("{}".utf8))
            }
            return .json(try await Self.rebuild(names, body.string("channel"), views))
        } catch ViewRefusal.notOpen {
            throw APIFailure(.viewBehind, "views.db is not open yet; the server's log says why if it stays so")
        } catch RebuildRefusal.noSpace(let needed, let free) {
            throw APIFailure(
                .unavailable,
                "a rebuild needs \(needed >> 20) MiB of free space, twice what the view takes; \(free >> 20) MiB are "
                    + "free; free some space")
        }
    }

    /// Recomputes the rows of one channel.
    /// - Parameter channel: The channel's id; nil where the body has something else in its place.
    private static func rebuild(_ names: Set<ViewName>, _ channel: String?, _ views: Views) async throws -> [UInt8] {
        func failure(_ code: CommandError.Code, _ message: String, _ field: String = "channel") -> APIFailure {
            APIFailure(code, message, field: field)
        }
        guard let channel, !channel.isEmpty, channel.utf8.count <= Identifier.maxChannelLength else {
            throw failure(.invalidCommand, "the id of a channel is needed")
        }
        guard names.count == 1, let name = names.first else {
            throw failure(.invalidCommand, "name the view too: channels or messages", "name")
        }
        do {
            let rebuild = try await views.rebuild(name, channel: channel)
            var json = JSONWriter()
            json.beginObject()
            json.member("events", Int64(rebuild.events))
            json.member("search", rebuild.isSearchRebuilt)
            json.endObject()
            return json.bytes
        } catch RebuildRefusal.notByChannel {
            throw failure(
                .invalidCommand,
                "the view '\(name.rawValue)' has no rows of single channels; 'channels' and 'messages' have")
        } catch RebuildRefusal.noChannel {
            throw failure(.channelNotFound, "the log has no channel '\(channel)'")
        } catch RebuildRefusal.channelTooLarge(let events) {
            throw failure(
                .invalidCommand,
                "the channel has more events than are rebuilt at once (\(events), or \(ChannelRebuild.maxMegabytes) "
                    + "MiB); rebuild the whole view: crowbar views rebuild \(name.rawValue)")
        } catch RebuildRefusal.doesNotFit(let reason) {
            throw failure(.unavailable, "the channel was not rebuilt, its rows are as before: \(reason)")
        } catch ViewRefusal.notBuilt {
            throw failure(.viewBehind, "the view '\(name.rawValue)' is being replaced; try again in a second", "name")
        }
    }

    /// The views that a body names; all where it names none.
    private static func names(_ body: JSONObject) throws(APIFailure) -> Set<ViewName> {
        guard body.span("name") != nil else { return Set(ViewName.allCases) }
        return try names(body.string("name") ?? "")
    }

    private static func names(_ text: String) throws(APIFailure) -> Set<ViewName> {
        guard let name = ViewName(rawValue: text) else {
            let known = ViewName.allCases.map(\.rawValue).joined(separator: ", ")
            // The paths are named after what they answer, and people know those.
            let rows = ViewPath.rows(of: text)
            let near = NearestName.to(text, among: ViewName.allCases.map(\.rawValue))
            let hint =
                rows.map { "; '\(text)' is answered from '\($0.rawValue)'" } ?? near.map { "; did you mean '\($0)'?" }
                ?? ""
            throw APIFailure(.notFound, "there is no such view; there are \(known)\(hint)", field: "name")
        }
        return [name]
    }

    /// Where a view is published, and how that goes.
    private static func write(_ targets: [PublishStatus], of view: ViewName, to json: inout JSONWriter) {
        let own = targets.filter { $0.counts[view] != nil }
        if own.isEmpty { return }
        json.key("publishing")
        json.beginArray()
        for target in own {
            json.beginObject()
            json.member("to", target.to)
            json.member("state", target.word)
            json.member("position", target.position)
            json.member("files", target.counts[view]?.files ?? 0)
            json.member("pending", target.counts[view]?.pending ?? 0)
            json.member("reason", ifPresent: target.reason)
            if let retry = target.retryIn { json.member("retrySeconds", retry / 1_000) }
            json.endObject()
        }
        json.endArray()
    }

    private static func json(_ views: [ViewSummary], _ targets: [PublishStatus]) -> [UInt8] {
        var json = JSONWriter()
        json.beginArray()
        for view in views {
            json.beginObject()
            json.member("name", view.state.name.rawValue)
            json.member("version", view.state.version)
            json.member("state", view.word)
            json.member("position", view.state.live?.position ?? 0)
            json.member("eventId", ifPresent: view.state.live.flatMap { $0.eventId.isEmpty ? nil : $0.eventId })
            json.member("lag", view.lag)
            if let stalled = view.stalled { json.member("stalledSeconds", stalled / 1_000) }
            if let bytes = view.bytes { json.member("bytes", bytes) }
            if let build = view.state.build {
                json.key("build")
                json.beginObject()
                json.member("position", build.position)
                let head = max(1, (view.state.live?.position ?? build.position) + view.lag)
                json.key("progress")
                json.raw(Array(APIFailure.hundredths(min(0.99, Double(build.position) / Double(head))).utf8))
                json.endObject()
            }
            write(targets, of: view.state.name, to: &json)
            json.member("reason", ifPresent: view.state.stopped)
            json.endObject()
        }
        json.endArray()
        return json.bytes
    }
}
