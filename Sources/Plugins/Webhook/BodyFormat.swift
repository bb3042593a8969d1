import JSONBytes

/// What an endpoint is posted of an event.
enum BodyFormat: Sendable {
    /// The event's JSON as it stands.
    case event
    /// CloudEvents 1.0, binary mode.
    case cloudEvents(source: String)
    /// CloudEvents 1.0, structured mode.
    case structured(source: String)
    /// A message of a chat service.
    /// - Parameter namesChannel: Whether the text says which channel the event is of.
    case chat(ChatPreset, namesChannel: Bool)
    /// What a template makes of it.
    case template(Template)

    /// A request's own part.
    struct Content: Equatable, Sendable {
        /// Header lines besides those of every request to the endpoint.
        var headers: [String] = []
        /// The body.
        var body: [UInt8]
    }

    /// Why there is no body for an event, and never will be; prose for the dead letter.
    enum Unrenderable: Error, Equatable {
        /// What the template made of it is of no use.
        case template(String)
        /// The event lacks a type or a time, which CloudEvents have.
        case incomplete

        /// The dead letter's code.
        var code: String {
            switch self {
            case .template: "template"
            case .incomplete: "invalid_event"
            }
        }

        /// The dead letter's message.
        var message: String {
            switch self {
            case .template(let text): text
            case .incomplete: "the event has no type or no timestamp, which a CloudEvent must have"
            }
        }
    }

    /// The value of `content-type`.
    var contentType: String {
        switch self {
        case .structured: "application/cloudevents+json; charset=utf-8"
        case .event, .cloudEvents, .chat, .template: "application/json"
        }
    }

    /// Whether it is a preset of a chat service.
    var isChat: Bool { if case .chat = self { true } else { false } }

    /// Whether receivers of this format check Standard Webhooks' signatures, so that an endpoint needs a key.
    var isSigned: Bool {
        switch self {
        case .event, .cloudEvents, .structured: true
        case .chat, .template: false
        }
    }

    /// What to post of an event; nil where the format has nothing to say about it.
    func content(of event: JSONObject) throws(Unrenderable) -> Content? {
        switch self {
        case .event: return Content(body: event.bytes)
        case .cloudEvents(let source):
            guard let attributes = CloudEvent(event, source: source) else { throw .incomplete }
            return Content(headers: attributes.headers, body: event.bytes)
        case .structured(let source):
            guard let attributes = CloudEvent(event, source: source) else { throw .incomplete }
            return Content(body: attributes.structured(event.bytes))
        case .chat(let preset, let namesChannel):
            return ChatLine(event).map { Content(body: preset.body(of: $0, namesChannel: namesChannel)) }
        case .template(let template):
            return Content(body: try template.render(event.bytes))
        }
    }
}
