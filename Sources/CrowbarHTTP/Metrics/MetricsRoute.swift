import CrowbarMetrics
import HTTPTypes
import HummingbirdCore
import NIOCore

/// `GET /metrics`: the metrics in the text format of Prometheus.
enum MetricsRoute {
    static let path = "/metrics"

    /// The answer with a report's text.
    static func response(_ text: [UInt8]) -> Response {
        Response(
            status: .ok, headers: [.contentType: MetricsReport.contentType, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: text)))
    }
}
