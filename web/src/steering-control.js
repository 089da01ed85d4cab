// Leads to another pathway, as the server and its own errors tell.

import Hls from 'hls.js';

const Original = /** @type {any} */ (Hls.DefaultConfig).contentSteeringController;

export class SteeringControl extends Original {
  /**
   * What is missing on one pathway was never made: it is missing on all, and no reason to leave this one.
   *
   * @param {string} event
   * @param {import('hls.js').ErrorData} error
   */
  onError(event, error) {
    if (error.details !== Hls.ErrorDetails.FRAG_GAP) super.onError(event, error);
  }
}
