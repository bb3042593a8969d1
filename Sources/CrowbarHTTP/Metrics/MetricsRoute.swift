import CrowbarMetrics
import HTTPTypes
import HummingbirdCore
import NIOCore

/// `GET /metrics`: the metrics in the text format of Prometheus.
enum MetricsRoute {
    static let path = "/metrics"

    /// The answer with a report's text.
    static func response(_ text: [UInt8], to request: Request) -> Response {
        var headers: HTTPFields = [.contentType: MetricsReport.contentType, .cacheControl: "no-store"]
        if request.method == .head { headers[.contentLength] = "\(text.count)" }
        let body = request.method == .head ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(bytes: text))
        return Response(status: .ok, headers: headers, body: body)
    }
}
