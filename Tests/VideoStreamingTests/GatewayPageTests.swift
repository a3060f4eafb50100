import Domain
import Foundation
import NIOCore
import ServiceKit
import TestKit
import Testing

@testable import VideoStreaming

/// Records, lists, health and the page, over a real socket.
struct GatewayPageTests {
    private func get(_ fixture: GatewayFixture, _ target: String) async throws -> RawHTTPResponse {
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request("GET", target)
                return try await connection.response()
            }
        }
    }

    @Test func aRecordIsJSONWithItsLinks() async throws {
        let fixture = try GatewayFixture()
        fixture.metadata.put(
            Video(
                id: fixture.id, videoPath: "a.mp4", title: "A \"film\" <1>", contentType: "video/mp4",
                createdAt: Date(timeIntervalSince1970: 1_700_000_000), revision: 3))
        let response = try await get(fixture, "/videos/\(GatewayFixture.idText)")
        #expect(response.status == 200)
        #expect(response["content-type"] == "application/json")
        #expect(
            response.text == """
                {"contentType":"video/mp4","createdAt":"2023-11-14T22:13:20Z","id":"5d9e690ad76fe06a3d7ae416",\
                "links":{"content":"/videos/5d9e690ad76fe06a3d7ae416/content","self":"/videos/5d9e690ad76fe06a3d7ae416"},\
                "revision":3,"state":"ready","title":"A \\"film\\" <1>","videoPath":"a.mp4"}
                """)
    }

    @Test func aDeletedRecordIsNotFoundAndNotListed() async throws {
        let fixture = try GatewayFixture()
        fixture.metadata.put(Video(id: fixture.id, videoPath: "a.mp4", state: .deleted))
        #expect(try await get(fixture, "/videos/\(GatewayFixture.idText)").status == 404)
        #expect(try await get(fixture, "/videos").text == "{\"videos\":[]}")
    }

    @Test func aListIsReadPageByPageByItsLinks() async throws {
        let fixture = try GatewayFixture()
        for number in 1...7 {
            let id = try GatewayFixture.id(String(repeating: "0", count: 23) + "\(number)")
            fixture.metadata.put(Video(id: id, videoPath: "\(number).mp4"))
        }
        let pages = try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                var pages: [Int] = []
                var target: String? = "/videos?limit=3"
                while let current = target {
                    try await connection.request("GET", current)
                    let page = try await connection.response()
                    pages.append(page.text.components(separatedBy: "\"videoPath\"").count - 1)
                    target = page["link"].map { link in
                        #expect(link.hasSuffix(">; rel=\"next\""))
                        return String(link.dropFirst().prefix { $0 != ">" })
                    }
                    #expect((target != nil) == page.text.contains("\"next\""))
                }
                return pages
            }
        }
        #expect(pages == [3, 3, 2])
    }

    @Test func healthIsAboutTheProcessAndReadinessAboutItsParts() async throws {
        var fixture = try GatewayFixture()
        fixture.checks = [ReadinessCheck("broker", problem: { "connection refused" })]
        #expect(try await get(fixture, "/healthz").status == 200)
        let response = try await get(fixture, "/readyz")
        #expect(response.status == 503)
        #expect(response["retry-after"] == "1")
        #expect(response["cache-control"] == "no-store")
        #expect(response.text == #"{"problems":{"broker":"connection refused"},"status":"not ready"}"#)
        fixture.checks = []
        #expect(try await get(fixture, "/readyz").text == #"{"status":"ready"}"#)
        fixture.draining.begin()
        let draining = try await get(fixture, "/readyz")
        #expect(draining.status == 503)
        #expect(draining.text == #"{"status":"draining"}"#)
        #expect(try await get(fixture, "/healthz").status == 200)
    }

    @Test func metricsAreAtTheFrontUnlessTheyAreToldElsewhere() async throws {
        var fixture = try GatewayFixture()
        let response = try await get(fixture, "/metrics")
        #expect(response.status == 200)
        #expect(response["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        #expect(response.text.contains("\nprocess_resident_memory_bytes "))
        fixture.registry = nil
        #expect(try await get(fixture, "/metrics").status == 404)
    }

    @Test func thePageShowsAPlayerAndNothingOfARecordAsMarkup() async throws {
        let fixture = try GatewayFixture()
        let attack = "</title><script>alert('1')</script>\" onload=\"x"
        fixture.metadata.put(Video(id: fixture.id, videoPath: "a.mp4", title: attack, description: attack))
        let response = try await get(fixture, "/")
        #expect(response.status == 200)
        #expect(response["content-type"] == "text/html; charset=utf-8")
        #expect(response["content-security-policy"]?.contains("default-src 'none'") == true)
        #expect(response.text.contains("<video controls"))
        #expect(response.text.contains("src=\"/videos/\(GatewayFixture.idText)/content\""))
        #expect(!response.text.contains("<script"))
        #expect(!response.text.contains("\" onload"))
        #expect(response.text.contains("&lt;script&gt;alert(&#39;1&#39;)"))
    }

    @Test func thePageSaysWhatToDoWhenThereIsNoVideo() async throws {
        let fixture = try GatewayFixture()
        fixture.metadata.put(Video(id: fixture.id, videoPath: "a.mp4", state: .awaitingUpload))
        let page = try await get(fixture, "/")
        #expect(!page.text.contains("<video"))
        #expect(page.text.contains("millrace import"))
    }

    @Test func thePagePlaysWhatWasAskedForEvenWithoutTheList() async throws {
        let fixture = try GatewayFixture()
        fixture.metadata.fail(with: ServiceError(.unavailable, "No metadata <worker>."))
        let page = try await get(fixture, "/?id=\(GatewayFixture.idText)")
        #expect(page.status == 503)
        #expect(page.text.contains("src=\"/videos/\(GatewayFixture.idText)/content\""))
        #expect(page.text.contains("No metadata &lt;worker&gt;."))
    }
}
