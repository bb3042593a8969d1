import HTTPTypes

/// The routes of the TCP listener. Only what is listed here is served there, and `openapi.json` lists the same routes.
/// The command line's socket has more.
enum RouteTable {
    /// A path template, as OpenAPI writes it, and its methods.
    struct Route: Sendable {
        let template: String
        let methods: [HTTPRequest.Method]

        init(_ template: String, _ methods: HTTPRequest.Method...) {
            self.template = template
            self.methods = methods
        }
    }

    /// All routes. A path without parameters takes precedence over a template that matches it.
    static let routes =
        [
            Route(OpenAPIRoute.path, .get),
            Route("/api/commands", .post),
            Route("/api/events", .get),
            Route("/api/events/stream", .get),
            Route(ReadRoute.path, .post),
            Route(OpenIDRoute.path, .post),
            Route(AccountRoutes.about, .get),
            Route(AccountRoutes.register, .post),
            Route(AccountRoutes.login, .post),
            Route(AccountRoutes.setup, .post),
            Route(AccountRoutes.reset, .post),
            Route(AccountRoutes.logout, .post),
            Route(AccountRoutes.password, .post),
            Route(AccountRoutes.me, .get),
            Route(AccountRoutes.tokens, .get, .post),
            Route(AccountRoutes.tokens + "/{tokenId}", .delete),
            Route("/views/allchannels.json", .get),
            Route("/views/allusers.json", .get),
            Route("/views/channel/{channelId}.json", .get),
            Route("/views/messages/{channelId}.json", .get),
            Route("/views/allmessages.json", .get),
            Route("/views/search.json", .get),
            Route("/views/unread.json", .get),
            Route(MetricsRoute.path, .get),
            Route("/healthz", .get),
            Route("/readyz", .get),
            Route("/hooks/{token}", .post),
            Route("/api/admin/plugins", .get),
            Route("/api/admin/plugins/reload", .post),
            Route("/api/admin/plugins/{plugin}", .get),
        ] + PluginActions.verbs.map { Route("/api/admin/plugins/{plugin}/" + $0, .post) } + [
            Route("/api/admin/plugins/{plugin}/forget", .post),
            Route("/api/admin/plugins/{plugin}/test-send", .post),
            Route("/api/admin/plugins/{plugin}/deliveries", .get),
            Route("/api/admin/plugins/{plugin}/logs", .get),
            Route("/api/admin/plugins/{plugin}/history", .get),
            Route("/api/admin/cursors/{plugin}", .get, .put),
            Route("/api/admin/cursors/{plugin}/{queue}", .get, .put),
            Route("/api/admin/dead-letters", .get),
            Route("/api/admin/dead-letters/{plugin}", .get, .post),
            Route("/api/admin/dead-letters/{plugin}/{queue}", .get, .post),
            Route("/api/admin/users", .get, .post),
            Route("/api/admin/users/{userId}", .get, .patch),
            Route("/api/admin/users/{userId}/reset", .post),
            Route("/api/admin/users/{userId}/logout", .post),
            Route("/api/admin/invites", .get, .post),
            Route("/api/admin/invites/{inviteId}", .delete),
            Route("/api/admin/tokens", .get),
            Route("/api/admin/tokens/{tokenId}", .delete),
            Route("/api/admin/hooks", .get, .post),
            Route("/api/admin/hooks/{hook}", .delete),
            Route("/api/admin/audit", .get),
            Route("/api/admin/replays", .get, .post),
            Route("/api/admin/replays/{replayId}", .delete),
            Route("/api/admin/views", .get),
            Route("/api/admin/views/{view}/rebuild", .post),
            Route("/api/admin/nodes", .get),
        ]

    /// What metrics call the routes: their templates, then ``otherLabels``.
    static let labels = routes.map(\.template) + otherLabels
    /// The files of the web page, and what is no route.
    private static let otherLabels = ["page", "none"]
    /// The number of the page's files among ``labels``.
    static let page = labels.count - 2
    /// The number of what is no route among ``labels``.
    static let none = labels.count - 1

    /// The number of a template among ``labels``.
    static func number(of template: String) -> Int { labels.firstIndex(of: template) ?? none }

    /// Refuses a request that no route is for.
    /// - Parameter number: Gets the number of the path's route among ``labels``.
    /// - Throws: ``APIFailure`` with `not_found`: 404 for an unknown path, 405 for another method of a known one.
    static func check(
        _ method: HTTPRequest.Method, _ path: Substring, number: inout Int
    ) throws(APIFailure) {
        guard let found = find(path) else { throw APIResponder.unknown(path) }
        let route = routes[found]
        number = found
        // The error names the template: the path of a hook is a secret.
        if !route.methods.contains(method) {
            throw APIFailure.methodNotAllowed(route.template, allowed: route.methods)
        }
    }

    /// The route of a path; nil if there is none.
    static func route(of path: Substring) -> Route? { find(path).map { routes[$0] } }

    private static func find(_ path: Substring) -> Int? {
        if let route = exact[path] { return route }
        // A hook's token is the rest of the path, whatever it is: a wrong one must count as a wrong token.
        if path.hasPrefix(HookRoute.prefix) { return hook }
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        return templates.first { matches($0.segments, segments) }?.route
    }

    private static let exact = Dictionary(
        uniqueKeysWithValues: routes.indices.filter { !routes[$0].template.contains("{") }.map {
            (routes[$0].template[...], $0)
        })
    private static let hook = routes.firstIndex { $0.template.hasPrefix(HookRoute.prefix) }
    private static let templates = routes.indices.filter { routes[$0].template.contains("{") }.map { index in
        (route: index, segments: routes[index].template.split(separator: "/", omittingEmptySubsequences: false))
    }

    /// Whether each segment is that of the template, or a value of its parameter, which is never empty.
    private static func matches(_ template: [Substring], _ segments: [Substring]) -> Bool {
        guard template.count == segments.count else { return false }
        return zip(template, segments).allSatisfy { pattern, segment in
            guard pattern.hasPrefix("{"), let end = pattern.firstIndex(of: "}") else { return pattern == segment }
            let suffix = pattern[pattern.index(after: end)...]
            return segment.hasSuffix(suffix) && segment.utf8.count > suffix.utf8.count
        }
    }
}
