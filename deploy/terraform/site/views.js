// Runs for each request to /views/*. What is published in the bucket is what a caller without a token gets, so a caller with a
// token is sent to the server. The behaviour must not cache.
import cf from 'cloudfront';

function handler(event) {
    const request = event.request;
    if (request.headers.authorization) {
        cf.selectRequestOriginById('host');
    }
    return request;
}
